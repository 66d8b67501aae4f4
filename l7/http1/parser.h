// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"
#include "l7/http1/head_scanner.h"
#include "l7/http1/head_storage.h"

namespace sluice::l7::http1 {

enum class ParseStatus : std::uint8_t { kNeedMore, kComplete, kError };

struct ParseResult {
  ParseStatus status = ParseStatus::kNeedMore;
  /// kError on a request: what to answer (400, 414, 417, 431, 501, 503 without buffers, 505) before closing.
  /// On a response: 502.
  std::uint16_t http_status = 0;
  /// kError: what was wrong; a literal, for logs, metrics and the answer's body.
  std::string_view reason;
};

inline Limits bounded(Limits limits) {
  limits.max_fields = std::min(limits.max_fields, http::FieldList::kMax);
  return limits;
}

/// Incremental, strict parser of request heads (RFC 9112, RFC 9110). One a connection; per message: call
/// parse() as bytes come. kComplete: the head's bytes have left `in` for `storage`, `head` points into it,
/// the body follows in `in`. kNeedMore: `in` holds the same bytes (in fewer segments where a peer dribbles),
/// and what was seen is not scanned again. A few leading CRLFs are dropped (2.2). After kError the connection
/// has to go: where the next message starts is not known. The result does not depend on how the bytes were
/// cut into segments and calls.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits) : limits_(bounded(limits)) {}
  ParseResult parse(BufChain& in, HeadStorage& storage, http::RequestHead& head, BufPool& pool);
  /// Bytes of an unfinished head have been seen (a silent close is then an error of the peer).
  bool started() const { return scanner_.scanned() > 0; }

 private:
  ParseResult skip_empty_lines(BufChain& in);
  ParseResult check_line(const BufChain& in);

  Limits limits_;
  HeadScanner scanner_;
  std::size_t empty_lines_ = 0;
  bool line_checked_ = false;
};

/// The same for response heads. Interim responses (1xx but 101) are returned like others, with framing kNone.
class ResponseParser {
 public:
  explicit ResponseParser(const Limits& limits) : limits_(bounded(limits)) {}
  /// `request_method` decides about the body (HEAD, CONNECT; RFC 9112, 6.3).
  ParseResult parse(BufChain& in, http::Method request_method, HeadStorage& storage, http::ResponseHead& head,
                    BufPool& pool);
  bool started() const { return scanner_.scanned() > 0; }

 private:
  Limits limits_;
  HeadScanner scanner_;
};

}  // namespace sluice::l7::http1
