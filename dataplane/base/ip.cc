// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/ip.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>

namespace sluice {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Decimal without sign, spaces or leading zeros, at most `max`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

/// Folded 64 x 64 -> 128 bit product: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t mix_endpoint(const Endpoint& e, std::uint64_t h) {
  std::uint64_t high, low;
  std::memcpy(&high, e.address.bytes().data(), 8);
  std::memcpy(&low, e.address.bytes().data() + 8, 8);
  h = mix(h ^ high, 0x9e3779b97f4a7c15u);
  h = mix(h ^ low, 0xd6e8feb86659fd93u);
  return mix(h ^ e.port, 0xc2b2ae3d27d4eb4fu);
}

}  // namespace

IpAddr IpAddr::v4(std::uint32_t host_order) {
  const be32 wire(host_order);
  const std::uint32_t raw = wire.raw();
  return v4_bytes(&raw);
}

IpAddr IpAddr::v4_bytes(const void* four) {
  IpAddr out;
  std::memcpy(out.bytes_.data(), kMappedPrefix.data(), kMappedPrefix.size());
  std::memcpy(out.bytes_.data() + 12, four, 4);
  return out;
}

IpAddr IpAddr::v6_bytes(const void* sixteen) {
  IpAddr out;
  std::memcpy(out.bytes_.data(), sixteen, 16);
  return out;
}

std::optional<IpAddr> IpAddr::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  std::uint8_t raw[16];
  if (inet_pton(AF_INET, buffer, raw) == 1) return v4_bytes(raw);
  if (inet_pton(AF_INET6, buffer, raw) != 1) return std::nullopt;
  // An IPv4-mapped address is never on the wire (RFC 4942, 2.2), and would silently become the IPv4 address.
  if (std::memcmp(raw, kMappedPrefix.data(), kMappedPrefix.size()) == 0) return std::nullopt;
  return v6_bytes(raw);
}

bool IpAddr::is_unspecified() const { return is_v4() ? v4_value() == 0 : *this == IpAddr(); }

bool IpAddr::is_multicast() const { return is_v4() ? (bytes_[12] & 0xf0) == 0xe0 : bytes_[0] == 0xff; }

bool IpAddr::is_link_local() const {
  return is_v4() ? bytes_[12] == 169 && bytes_[13] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddr::is_loopback() const {
  if (is_v4()) return bytes_[12] == 127;
  for (std::size_t i = 0; i < 15; ++i) {
    if (bytes_[i] != 0) return false;
  }
  return bytes_[15] == 1;
}

bool IpAddr::is_v4_broadcast() const { return is_v4() && v4_value() == 0xffffffffu; }

std::uint32_t IpAddr::v4_value() const {
  std::uint32_t raw;
  std::memcpy(&raw, bytes_.data() + 12, 4);
  return __builtin_bswap32(raw);
}

void AddressText::append(std::uint64_t value, int base) {
  char* const at = bytes_.data() + size_;
  size_ = static_cast<std::uint8_t>(std::to_chars(at, bytes_.data() + bytes_.size(), value, base).ptr - bytes_.data());
}

// RFC 5952, 4: no leading zeros, the first of the longest runs of zero groups as "::" unless it is but one, lower case.
void AddressText::append_v6(const std::uint8_t* sixteen) {
  constexpr unsigned kGroups = 8;
  const auto group = [&](unsigned i) { return sixteen[2 * i] << 8 | sixteen[2 * i + 1]; };
  unsigned begin = kGroups, length = 1;
  for (unsigned i = 0; i < kGroups; ++i) {
    unsigned end = i;
    while (end < kGroups && group(end) == 0) ++end;
    if (end - i > length) begin = i, length = end - i;
    i = end;
  }
  for (unsigned i = 0; i < kGroups; ++i) {
    if (i == begin) {
      append(':');
      i += length - 1;
      if (i + 1 == kGroups) append(':');
      continue;
    }
    if (i > 0) append(':');
    append(static_cast<std::uint64_t>(group(i)), 16);
  }
}

void IpAddr::append_to(AddressText& out) const {
  if (is_v6()) return out.append_v6(bytes_.data());
  for (std::size_t i = 12; i < 16; ++i) {
    if (i > 12) out.append('.');
    out.append(bytes_[i], 10);
  }
}

AddressText IpAddr::text() const {
  AddressText out;
  append_to(out);
  return out;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddr::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned full = address->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return IpPrefix{*address, static_cast<std::uint8_t>(full)};
  const auto length = parse_decimal(text.substr(slash + 1), full);
  if (!length) return std::nullopt;
  return IpPrefix{*address, static_cast<std::uint8_t>(*length)};
}

bool IpPrefix::contains(const IpAddr& a) const {
  if (a.is_v4() != address.is_v4()) return false;
  if (a.is_v4()) return (std::uint64_t{a.v4_value() ^ address.v4_value()} >> (32 - length)) == 0;
  const std::uint8_t* left = address.wire();
  const std::uint8_t* right = a.wire();
  const std::size_t whole = length / 8;
  if (std::memcmp(left, right, whole) != 0) return false;
  const unsigned rest = length % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xffu << (8 - rest) & 0xffu;
  return ((left[whole] ^ right[whole]) & mask) == 0;
}

std::string IpPrefix::to_string() const { return address.to_string() + "/" + std::to_string(length); }

AddressText Endpoint::text() const {
  AddressText out;
  if (address.is_v6()) out.append('[');
  address.append_to(out);
  if (address.is_v6()) out.append(']');
  out.append(':');
  out.append(port, 10);
  return out;
}

std::optional<MacAddr> MacAddr::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddr out;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* at = text.data() + 3 * i;
    if (i < 5 && at[2] != ':') return std::nullopt;
    const auto [end, error] = std::from_chars(at, at + 2, out.bytes[i], 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
  }
  return out;
}

std::string MacAddr::to_string() const {
  char buffer[18];
  std::snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1], bytes[2],
                bytes[3], bytes[4], bytes[5]);
  return buffer;
}

std::uint64_t hash_value(const Endpoint& e, std::uint64_t seed) { return mix_endpoint(e, seed); }

std::uint64_t hash_value(const FlowKey& k, std::uint64_t seed) {
  return mix_endpoint(k.local, mix_endpoint(k.remote, seed));
}

}  // namespace sluice
