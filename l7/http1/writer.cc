// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "l7/http1/scan.h"

namespace sluice::l7::http1 {
namespace {

struct Decimal {
  explicit Decimal(std::uint64_t n)
      : end(std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr) {}
  std::string_view text() const { return {digits.data(), static_cast<std::size_t>(end - digits.data())}; }
  std::array<char, 20> digits;
  char* end;
};

bool is_value(std::string_view s) { return find_not_value(s) == s.size(); }

bool is_target(std::string_view s) { return !s.empty() && find_not_target(s) == s.size(); }

}  // namespace

void HeadWriter::request_line(std::string_view method, std::string_view target) {
  put_checked(method, is_token(method));
  put(" ");
  put_checked(target, is_target(target));
  put(" HTTP/1.1\r\n");
}

void HeadWriter::status_line(std::uint16_t status, std::string_view reason) {
  if (reason.empty()) reason = standard_reason(status);
  put("HTTP/1.1 ");
  put_checked(Decimal(status).text(), status >= 100 && status <= 999);
  put(" ");
  put_checked(reason, is_value(reason));
  put("\r\n");
}

void HeadWriter::field(LiteralName name, std::string_view value) {
  ok_ = ok_ && is_value(value);
  put_field(name.text, value);
}

void HeadWriter::field(LiteralName name, std::uint64_t value) { put_field(name.text, Decimal(value).text()); }

void HeadWriter::put_field(std::string_view name, std::string_view value) {
  if (name.size() + value.size() + 4 > room()) {
    for (const std::string_view part : {name, std::string_view(": "), value, std::string_view("\r\n")})
      put(part);
    return;
  }
  copy(name);
  copy(": ");
  copy(value);
  copy("\r\n");
}

void HeadWriter::framing(const http::Framing& framing) {
  switch (framing.kind) {
    case http::Framing::Kind::kLength:
      field("Content-Length", framing.length);
      break;
    case http::Framing::Kind::kChunked:
      field("Transfer-Encoding", "chunked");
      break;
    case http::Framing::Kind::kNone:
    case http::Framing::Kind::kUntilClose:
    case http::Framing::Kind::kTunnel:
      break;
  }
}

bool HeadWriter::finish() {
  put("\r\n");
  if (!ok_) return false;
  close_buffer();
  out_.append(std::move(full_));
  return true;
}

void HeadWriter::close_buffer() {
  if (!current_) return;
  current_.append(static_cast<std::size_t>(at_ - current_.data()));
  full_.push_back(std::move(current_));
  at_ = end_ = nullptr;
}

// What does not fit goes on in the next buffer. Without memory what has no place is left out.
void HeadWriter::put_across(std::string_view text) {
  for (;;) {
    const std::size_t n = std::min(text.size(), room());
    if (n > 0) copy(text.substr(0, n));
    text.remove_prefix(n);
    if (text.empty()) return;
    close_buffer();
    current_ = pool_.alloc();
    if (!current_) {
      ok_ = false;
      return;
    }
    at_ = current_.data();
    end_ = at_ + current_.tailroom();
  }
}

}  // namespace sluice::l7::http1
