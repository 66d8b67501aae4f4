// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/base/ip.h"

/// Numbers and byte access of the wire formats below transport. Offsets and values are those of the RFCs
/// named.
namespace sluice::net::wire {

inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::size_t kVlanTag = 4;
inline constexpr std::size_t kIpv4Header = 20;
inline constexpr std::size_t kIpv6Header = 40;
inline constexpr std::size_t kArpSize = 28;  ///< Ethernet and IPv4 (RFC 826).
inline constexpr std::size_t kIcmpHeader = 8;
inline constexpr std::size_t kUdpHeader = 8;
inline constexpr std::size_t kTcpHeader = 20;

inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;

inline constexpr std::uint8_t kHopByHop = 0;
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kRouting = 43;
inline constexpr std::uint8_t kFragment = 44;
inline constexpr std::uint8_t kIcmpv6 = 58;
inline constexpr std::uint8_t kNoNextHeader = 59;
inline constexpr std::uint8_t kDestinationOptions = 60;

inline constexpr MacAddr kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

inline std::uint16_t load16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
inline std::uint32_t load32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(load16(p)) << 16 | load16(p + 2);
}
inline void store16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store32(std::uint8_t* p, std::uint32_t v) {
  store16(p, static_cast<std::uint16_t>(v >> 16));
  store16(p + 2, static_cast<std::uint16_t>(v));
}
inline void store(std::uint8_t* p, be16 v) {
  const std::uint16_t raw = v.raw();
  std::memcpy(p, &raw, sizeof raw);
}
inline MacAddr load_mac(const std::uint8_t* p) {
  MacAddr out;
  std::memcpy(out.bytes.data(), p, 6);
  return out;
}
inline void store_mac(std::uint8_t* p, const MacAddr& m) { std::memcpy(p, m.bytes.data(), 6); }

/// Group bit of IEEE 802: multicast and broadcast.
inline bool is_group(const MacAddr& m) { return (m.bytes[0] & 1) != 0; }
inline bool is_zero(const MacAddr& m) { return m == MacAddr{}; }

/// RFC 2464, 7: the last four bytes of the group behind 33:33.
inline MacAddr multicast_mac(const IpAddr& group) {
  MacAddr out{{0x33, 0x33}};
  std::memcpy(&out.bytes[2], group.wire() + 12, 4);
  return out;
}
/// RFC 4291, 2.7.1: ff02::1:ffXX:XXXX.
inline IpAddr solicited_node(const IpAddr& target) {
  std::uint8_t raw[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::memcpy(raw + 13, target.wire() + 13, 3);
  return IpAddr::v6_bytes(raw);
}
/// ff02::1
inline IpAddr all_nodes() {
  const std::uint8_t raw[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return IpAddr::v6_bytes(raw);
}
/// RFC 4291, appendix A: fe80::/64 with the modified EUI-64 of the MAC address.
inline IpAddr link_local(const MacAddr& m) {
  const auto& b = m.bytes;
  const std::uint8_t raw[16] = {
      0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<std::uint8_t>(b[0] ^ 2),
      b[1], b[2], 0xff, 0xfe, b[3], b[4], b[5]};
  return IpAddr::v6_bytes(raw);
}

/// Where the checksum field is in a transport header, or -1.
inline int checksum_offset(std::uint8_t protocol) {
  switch (protocol) {
    case kTcp:
      return 16;
    case kUdp:
      return 6;
    case kIcmp:
    case kIcmpv6:
      return 2;
    default:
      return -1;
  }
}

}  // namespace sluice::net::wire
