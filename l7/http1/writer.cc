// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

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

void HeadWriter::field(std::string_view name, std::string_view value) {
  const std::size_t total = name.size() + value.size() + 4;
  if (ok_ && current_ && total <= current_.tailroom() && is_token(name) && is_value(value)) {
    std::uint8_t* at = current_.append(total);
    std::memcpy(at, name.data(), name.size());
    at += name.size();
    std::memcpy(at, ": ", 2);
    std::memcpy(at + 2, value.data(), value.size());
    std::memcpy(at + 2 + value.size(), "\r\n", 2);
    return;
  }
  put_checked(name, is_token(name));
  put(": ");
  put_checked(value, is_value(value));
  put("\r\n");
}

void HeadWriter::field(std::string_view name, std::uint64_t value) { field(name, Decimal(value).text()); }

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
  full_.push_back(std::move(current_));
  out_.append(std::move(full_));
  return true;
}

// What does not fit goes on in the next buffer.
void HeadWriter::put(std::string_view text) {
  while (ok_ && !text.empty()) {
    if (!current_ || current_.tailroom() == 0) {
      full_.push_back(std::move(current_));
      current_ = pool_.alloc();
      ok_ = static_cast<bool>(current_);
      continue;
    }
    const std::size_t n = std::min(text.size(), current_.tailroom());
    std::memcpy(current_.append(n), text.data(), n);
    text.remove_prefix(n);
  }
}

void HeadWriter::put_checked(std::string_view text, bool fine) {
  ok_ = ok_ && fine;
  put(text);
}

}  // namespace sluice::l7::http1
