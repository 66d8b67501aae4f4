// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// Integers in network byte order. They are only bytes until `value()` says otherwise, so a host-order
/// number cannot be written to the wire, nor a wire number compared, by mistake.
class be16 {
 public:
  constexpr be16() = default;
  explicit constexpr be16(std::uint16_t host) : raw_(__builtin_bswap16(host)) {}
  constexpr std::uint16_t value() const { return __builtin_bswap16(raw_); }
  static constexpr be16 from_raw(std::uint16_t raw) {
    be16 out;
    out.raw_ = raw;
    return out;
  }
  constexpr std::uint16_t raw() const { return raw_; }
  friend constexpr bool operator==(be16, be16) = default;

 private:
  std::uint16_t raw_ = 0;
};

class be32 {
 public:
  constexpr be32() = default;
  explicit constexpr be32(std::uint32_t host) : raw_(__builtin_bswap32(host)) {}
  constexpr std::uint32_t value() const { return __builtin_bswap32(raw_); }
  constexpr std::uint32_t raw() const { return raw_; }
  friend constexpr bool operator==(be32, be32) = default;

 private:
  std::uint32_t raw_ = 0;
};

static_assert(std::endian::native == std::endian::little);

/// The text of an address, or of an endpoint, in place: for the packet path, which has no heap.
class AddressText {
 public:
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  friend class IpAddr;
  friend struct Endpoint;
  void append(char c) { bytes_[size_++] = c; }
  void append(std::uint64_t value, int base);
  void append_v6(const std::uint8_t* sixteen);

  std::array<char, 55> bytes_;  // "[" INET6_ADDRSTRLEN "]:65535"
  std::uint8_t size_ = 0;
};

/// An IPv4 or IPv6 address, 16 bytes, network order; IPv4 is held as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
class IpAddr {
 public:
  constexpr IpAddr() = default;

  static IpAddr v4(std::uint32_t host_order);
  static IpAddr v4_bytes(const void* four);
  static IpAddr v6_bytes(const void* sixteen);
  /// "192.0.2.1" or "2001:db8::1"; nothing else (no zone, no brackets, no prefix).
  static std::optional<IpAddr> parse(std::string_view text);

  bool is_v4() const { return word(0) == 0 && (word(1) & 0xffffffffu) == 0xffff0000u; }
  bool is_v6() const { return !is_v4(); }
  bool is_unspecified() const;
  bool is_multicast() const;
  bool is_link_local() const;  ///< 169.254/16 or fe80::/10.
  bool is_loopback() const;
  bool is_v4_broadcast() const;  ///< 255.255.255.255

  /// The four bytes of an IPv4 address, in host order.
  std::uint32_t v4_value() const;
  /// 4 or 16 bytes as they stand on the wire.
  const std::uint8_t* wire() const { return is_v4() ? bytes_.data() + 12 : bytes_.data(); }
  std::size_t wire_size() const { return is_v4() ? 4 : 16; }
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  AddressText text() const;  ///< RFC 5952.
  std::string to_string() const { return std::string(text().view()); }

  /// Eight bytes as they stand in memory, `i` 0 or 1: for comparing, hashing and summing, not for their value.
  std::uint64_t word(int i) const {
    std::uint64_t w;
    std::memcpy(&w, bytes_.data() + 8 * i, 8);
    return w;
  }

  friend bool operator==(const IpAddr& a, const IpAddr& b) {
    return a.word(0) == b.word(0) && a.word(1) == b.word(1);
  }
  friend auto operator<=>(const IpAddr& a, const IpAddr& b) { return a.bytes_ <=> b.bytes_; }

 private:
  friend struct Endpoint;
  void append_to(AddressText& out) const;
  std::array<std::uint8_t, 16> bytes_{};
};

/// An address with a prefix length: 0..32 for IPv4, 0..128 for IPv6.
struct IpPrefix {
  IpAddr address;
  std::uint8_t length = 0;
  /// "10.0.0.0/8"; a bare address is a host prefix. Host bits are kept (10.0.0.1/8 names an interface address).
  static std::optional<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddr& a) const;
  std::string to_string() const;
  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

/// Transport address. `port` is in host order.
struct Endpoint {
  IpAddr address;
  std::uint16_t port = 0;
  AddressText text() const;  ///< "192.0.2.1:80", "[2001:db8::1]:80"
  std::string to_string() const { return std::string(text().view()); }
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// A TCP or UDP flow as seen from here.
struct FlowKey {
  Endpoint local;
  Endpoint remote;
  friend auto operator<=>(const FlowKey&, const FlowKey&) = default;
};

struct MacAddr {
  std::array<std::uint8_t, 6> bytes{};
  static std::optional<MacAddr> parse(std::string_view text);
  std::string to_string() const;
  friend auto operator<=>(const MacAddr&, const MacAddr&) = default;
};

/// A fast, well-mixed, non-cryptographic hash of an endpoint or flow for tables of one worker. `seed` is
/// random a process, so that an attacker cannot aim at one bucket.
std::uint64_t hash_value(const Endpoint& e, std::uint64_t seed);
std::uint64_t hash_value(const FlowKey& k, std::uint64_t seed);

}  // namespace sluice
