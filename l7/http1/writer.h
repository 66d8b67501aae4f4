// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"
#include "l7/http1/scan.h"

namespace sluice::l7::http1 {

/// A field name of ours: that it is a token (RFC 9110, 5.6.2) is seen when the program is compiled.
struct LiteralName {
  template <std::size_t N>
  consteval LiteralName(const char (&literal)[N]) : text(literal, N - 1) {  // NOLINT: implicit
    for (const char c : text) {
      if (!is_token_char(c)) throw "not a field name";
    }
  }
  std::string_view text;
};

/// Writes a message head straight into packet buffers. Each call appends; finish() adds the empty line and
/// moves the head to the end of `out`, all of it or nothing. What cannot be written (no memory; a value
/// or target that would break out of its line) is remembered and told by finish().
class HeadWriter {
 public:
  HeadWriter(BufChain& out, BufPool& pool) : out_(out), pool_(pool) {}

  void request_line(std::string_view method, std::string_view target);  ///< HTTP/1.1
  /// HTTP/1.1; an empty reason: the standard one.
  void status_line(std::uint16_t status, std::string_view reason);
  void field(LiteralName name, std::string_view value);
  void field(LiteralName name, std::uint64_t value);
  /// A field that our parser has taken, and that is therefore not looked at again.
  void pass(const http::Field& parsed) { put_field(parsed.name, parsed.value); }
  /// Content-Length or Transfer-Encoding, as the framing says; nothing for kNone, kUntilClose and kTunnel.
  void framing(const http::Framing& framing);
  /// False: out of memory or a refused part; `out` is unchanged.
  bool finish();

 private:
  std::size_t room() const { return static_cast<std::size_t>(end_ - at_); }
  /// The room was checked.
  void copy(std::string_view text) {
    if (text.empty()) return;  // its data may be null, which memcpy does not allow
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(std::string_view text) {
    if (text.size() <= room()) [[likely]]
      return copy(text);
    put_across(text);
  }
  void put_field(std::string_view name, std::string_view value);
  void put_checked(std::string_view text, bool fine) {
    ok_ = ok_ && fine;
    put(text);
  }
  void put_across(std::string_view text);
  void close_buffer();

  BufChain& out_;
  BufPool& pool_;
  std::uint8_t* at_ = nullptr;   // in current_, behind what was written
  std::uint8_t* end_ = nullptr;  // of its room
  Buf current_;                  // being filled; its length is set when it is full
  BufChain full_;                // before it
  bool ok_ = true;
};

/// "Not Found" for 404; "" for unknown codes.
std::string_view standard_reason(std::uint16_t status);

}  // namespace sluice::l7::http1
