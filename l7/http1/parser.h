// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"
#include "l7/http1/head_storage.h"

namespace sluice::l7::http1 {

struct Limits {
  std::size_t max_line = 8 * 1024;   ///< Request line, bytes; longer: 414.
  std::size_t max_head = 32 * 1024;  ///< Whole head, bytes; larger: 431.
  std::size_t max_fields = 100;      ///< More: 431. At most FieldList::kMax.
};

enum class ParseStatus : std::uint8_t { kNeedMore, kComplete, kError };

struct ParseResult {
  ParseStatus status = ParseStatus::kNeedMore;
  /// kError on a request: what to answer (400, 414, 417, 431, 501, 505) before closing. On a response: 502.
  std::uint16_t http_status = 0;
  /// kError: what was wrong; a literal, for logs, metrics and the answer's body.
  std::string_view reason;
};

/// Incremental, strict parser of request heads (RFC 9112, RFC 9110). One a connection; per message: call parse() as
/// bytes come. kComplete: the head's bytes have left `in` for `storage`, `head` points into it, the body follows in
/// `in`. kNeedMore: `in` is unchanged, and what was seen is not scanned again. Leading CRLFs are dropped (2.2).
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits) : limits_(limits) {}
  ParseResult parse(BufChain& in, HeadStorage& storage, http::RequestHead& head, BufPool& pool);
  /// Bytes of an unfinished head have been seen (a silent close is then an error of the peer).
  bool started() const { return scanned_ > 0; }

 private:
  Limits limits_;
  std::size_t scanned_ = 0;
};

/// The same for response heads. Interim responses (1xx but 101) are returned like others, with framing kNone.
class ResponseParser {
 public:
  explicit ResponseParser(const Limits& limits) : limits_(limits) {}
  /// `request_method` decides about the body (HEAD, CONNECT; RFC 9112, 6.3).
  ParseResult parse(BufChain& in, http::Method request_method, HeadStorage& storage, http::ResponseHead& head,
                    BufPool& pool);
  bool started() const { return scanned_ > 0; }

 private:
  Limits limits_;
  std::size_t scanned_ = 0;
};

}  // namespace sluice::l7::http1
