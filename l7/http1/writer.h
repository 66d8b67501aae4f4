// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"

namespace sluice::l7::http1 {

/// Writes a message head straight into packet buffers. Each call appends; finish() adds the empty line and
/// moves the head to the end of `out`, all of it or nothing. What cannot be written (no memory; a name, value
/// or target that would break out of its line) is remembered and told by finish().
class HeadWriter {
 public:
  HeadWriter(BufChain& out, BufPool& pool) : out_(out), pool_(pool) {}

  void request_line(std::string_view method, std::string_view target);  ///< HTTP/1.1
  void status_line(std::uint16_t status,
                   std::string_view reason);  ///< HTTP/1.1; empty reason: the standard one
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, std::uint64_t value);
  /// Content-Length or Transfer-Encoding, as the framing says; nothing for kNone, kUntilClose and kTunnel.
  void framing(const http::Framing& framing);
  /// False: out of memory or a refused part; `out` is unchanged.
  bool finish();

 private:
  void put(std::string_view text);
  void put_checked(std::string_view text, bool fine);
  BufChain& out_;
  BufPool& pool_;
  Buf current_;    // being filled
  BufChain full_;  // before it
  bool ok_ = true;
};

/// "Not Found" for 404; "" for unknown codes.
std::string_view standard_reason(std::uint16_t status);

}  // namespace sluice::l7::http1
