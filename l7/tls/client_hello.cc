// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/client_hello.h"

#include <array>
#include <span>
#include <utility>

#include "dataplane/base/ascii.h"
#include "l7/tls/protocol.h"

namespace sluice::l7::tls {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Result = ClientHello::Result;

constexpr std::size_t kMessageHeader = 4, kMaxFragment = 16 * 1024;
constexpr std::size_t kServerName = 0;
constexpr std::size_t kHostName = 0;

/// Takes bytes from the front; all that follows a lack of them is empty.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  Bytes take(std::size_t n) {
    if (n > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes out = rest_.first(n);
    rest_ = rest_.subspan(n);
    return out;
  }
  /// A big-endian number of `width` bytes.
  std::size_t number(std::size_t width) {
    std::size_t out = 0;
    for (const std::uint8_t b : take(width)) out = out << 8 | b;
    return out;
  }
  /// What stands behind a length of `width` bytes.
  Bytes vector(std::size_t width) { return take(number(width)); }

 private:
  Bytes rest_;
  bool ok_ = true;
};

/// The message, put together from records, and the name in it. Used within a call, and until the next.
struct Assembly {
  std::array<std::uint8_t, kMessageHeader + kMaxClientHello> bytes;
  std::size_t size = 0;
  std::array<char, 253> name;
  std::size_t name_size = 0;
  bool named = false;

  /// Bytes of it as its header says.
  std::size_t message() const {
    return kMessageHeader + (static_cast<std::size_t>(bytes[1]) << 16 | static_cast<std::size_t>(bytes[2]) << 8 | bytes[3]);
  }
  bool take_name(std::string_view text);
  bool server_name(Bytes body);
  Result parse();
};

/// RFC 6066, 3: ASCII without a dot at the end; who sends one means the same.
bool Assembly::take_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > name.size()) return false;
  for (const char c : text) {
    const char low = ascii_lower(c);
    const bool good = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || low == '-' || low == '.' || low == '_';
    if (!good) return false;
    name[name_size++] = low;
  }
  return true;
}

bool Assembly::server_name(Bytes body) {
  if (std::exchange(named, true)) return false;  // RFC 8446, 4.2: no two of a type
  Reader r(body);
  Reader list(r.vector(2));
  if (!r.ok() || !r.empty() || list.empty()) return false;
  while (!list.empty()) {
    const std::size_t kind = list.number(1);
    const Bytes text = list.vector(2);
    if (!list.ok()) return false;
    if (kind != kHostName) continue;
    if (name_size > 0 || !take_name({reinterpret_cast<const char*>(text.data()), text.size()})) return false;
  }
  return true;
}

Result Assembly::parse() {
  Reader r(Bytes(bytes).subspan(kMessageHeader, size - kMessageHeader));
  r.take(2 + 32);  // legacy_version, random
  const Bytes session = r.vector(1), suites = r.vector(2), compressions = r.vector(1);
  if (!r.ok() || session.size() > 32 || suites.empty() || suites.size() % 2 != 0 || compressions.empty()) {
    return Result::kMalformed;
  }
  if (r.empty()) return Result::kDone;  // TLS 1.2 without extensions
  Reader extensions(r.vector(2));
  if (!r.ok() || !r.empty()) return Result::kMalformed;
  while (!extensions.empty()) {
    const std::size_t type = extensions.number(2);
    const Bytes body = extensions.vector(2);
    if (!extensions.ok() || (type == kServerName && !server_name(body))) return Result::kMalformed;
  }
  return Result::kDone;
}

thread_local Assembly assembly;

}  // namespace

ClientHello read_client_hello(const BufChain& received) {
  Assembly& a = assembly;
  a.size = a.name_size = 0;
  a.named = false;
  std::size_t at = 0;
  for (std::size_t records = 0; records < kMaxHelloRecords; ++records) {
    if (received.size() < at + kRecordHeader) return {Result::kNeedMore, at + kRecordHeader, {}};
    std::array<std::uint8_t, kRecordHeader> header;
    received.copy_out(at, header);
    const std::size_t length = static_cast<std::size_t>(header[3]) << 8 | header[4];
    if (ContentType{header[0]} != ContentType::kHandshake || header[1] != 3 || length == 0) return {Result::kUnexpected, 0, {}};
    if (length > kMaxFragment || a.size + length > a.bytes.size()) return {Result::kTooLong, 0, {}};
    at += kRecordHeader;
    if (received.size() < at + length) return {Result::kNeedMore, at + length, {}};
    received.copy_out(at, std::span(a.bytes).subspan(a.size, length));
    a.size += length;
    at += length;
    if (a.bytes[0] != kClientHello) return {Result::kUnexpected, 0, {}};
    if (a.size < kMessageHeader) continue;
    if (a.message() > a.bytes.size()) return {Result::kTooLong, 0, {}};
    if (a.size > a.message()) return {Result::kUnexpected, 0, {}};  // nothing follows it in its flight
    if (a.size == a.message()) {
      const Result r = a.parse();
      return {r, 0, {a.name.data(), a.name_size}};
    }
  }
  return {Result::kTooLong, 0, {}};
}

}  // namespace sluice::l7::tls
