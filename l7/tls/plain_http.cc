// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/plain_http.h"

#include <algorithm>
#include <array>

namespace sluice::l7::tls {
namespace {

constexpr std::array<std::string_view, 10> kStarts = {"GET ",    "POST ",   "HEAD ",  "PUT ",     "DELETE ",
                                                      "OPTIONS ", "PATCH ", "TRACE ", "CONNECT ", "PRI * HTTP/2"};
constexpr std::size_t kLongest = 12;

constexpr std::string_view kAnswer =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 51\r\n"
    "Connection: close\r\n"
    "\r\n"
    "The plain HTTP request was sent to an HTTPS port.\r\n";

}  // namespace

FirstBytes look_at_first_bytes(const BufChain& received) {
  std::array<std::uint8_t, kLongest> bytes;
  const std::size_t n = std::min(received.size(), kLongest);
  received.copy_out(0, std::span(bytes).first(n));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), n);
  bool may_be = false;
  for (const std::string_view start : kStarts) {
    if (text.starts_with(start)) return FirstBytes::kHttp;
    may_be |= start.starts_with(text);
  }
  return may_be ? FirstBytes::kTooFew : FirstBytes::kTls;
}

std::string_view plain_http_answer() { return kAnswer; }

}  // namespace sluice::l7::tls
