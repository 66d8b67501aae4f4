// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/checksum.h"
#include "dataplane/net/wire.h"
#include "tests/support/eal.h"

/// Frames as values: each function wraps a payload in one header, right by default, and tests then spoil
/// single bytes.
namespace sluice::test {

using Bytes = std::vector<std::uint8_t>;

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Bytes text(std::string_view s) { return {s.begin(), s.end()}; }
inline IpAddr ip(std::string_view s) { return IpAddr::parse(s).value(); }
inline MacAddr mac(std::uint8_t last) { return {{2, 0, 0, 0, 0, last}}; }

inline Bytes ethernet(const MacAddr& to, const MacAddr& from, std::uint16_t type, const Bytes& payload,
                      int vlan = -1) {
  Bytes out(net::wire::kEthernetHeader);
  net::wire::store_mac(&out[0], to);
  net::wire::store_mac(&out[6], from);
  net::wire::store16(&out[12], type);
  if (vlan >= 0) {
    net::wire::store16(&out[12], net::wire::kEtherVlan);
    out.resize(18);
    net::wire::store16(&out[14], static_cast<std::uint16_t>(vlan));
    net::wire::store16(&out[16], type);
  }
  return out + payload;
}

struct IpOptions {
  std::uint8_t ttl = 64, tos = 0;
  std::uint16_t fragment = 0;  ///< IPv4: flags and offset.
  Bytes options;               ///< IPv4: a multiple of 4.
};

inline Bytes ipv4(const IpAddr& from, const IpAddr& to, std::uint8_t protocol, const Bytes& payload,
                  const IpOptions& o = {}) {
  Bytes h(net::wire::kIpv4Header);
  h = h + o.options;
  h[0] = static_cast<std::uint8_t>(0x40 | h.size() / 4);
  h[1] = o.tos;
  net::wire::store16(&h[2], static_cast<std::uint16_t>(h.size() + payload.size()));
  net::wire::store16(&h[6], o.fragment);
  h[8] = o.ttl;
  h[9] = protocol;
  std::memcpy(&h[12], from.wire(), 4);
  std::memcpy(&h[16], to.wire(), 4);
  net::wire::store(&h[10], InternetChecksum().add(h).checksum());
  return h + payload;
}

inline Bytes ipv6(const IpAddr& from, const IpAddr& to, std::uint8_t next, const Bytes& payload,
                  std::uint8_t hop_limit = 64) {
  Bytes h(net::wire::kIpv6Header);
  h[0] = 0x60;
  net::wire::store16(&h[4], static_cast<std::uint16_t>(payload.size()));
  h[6] = next;
  h[7] = hop_limit;
  std::memcpy(&h[8], from.wire(), 16);
  std::memcpy(&h[24], to.wire(), 16);
  return h + payload;
}

/// Fills in the checksum of a transport header.
inline Bytes summed(const IpAddr& from, const IpAddr& to, std::uint8_t protocol, Bytes segment) {
  const auto at = static_cast<std::size_t>(net::wire::checksum_offset(protocol));
  InternetChecksum sum;
  if (protocol != net::wire::kIcmp) {
    sum.add_pseudo_header(from, to, protocol, static_cast<std::uint32_t>(segment.size()));
  }
  net::wire::store(&segment[at], sum.add(segment).checksum());
  return segment;
}

inline Bytes tcp(const IpAddr& from, std::uint16_t from_port, const IpAddr& to, std::uint16_t to_port,
                 const Bytes& payload = {}) {
  Bytes h(net::wire::kTcpHeader);
  net::wire::store16(&h[0], from_port);
  net::wire::store16(&h[2], to_port);
  net::wire::store32(&h[4], 0x01020304);
  h[12] = 0x50;
  h[13] = 0x10;
  return summed(from, to, net::wire::kTcp, h + payload);
}

inline Bytes udp(const IpAddr& from, std::uint16_t from_port, const IpAddr& to, std::uint16_t to_port,
                 const Bytes& payload = {}) {
  Bytes h(net::wire::kUdpHeader);
  net::wire::store16(&h[0], from_port);
  net::wire::store16(&h[2], to_port);
  net::wire::store16(&h[4], static_cast<std::uint16_t>(8 + payload.size()));
  return summed(from, to, net::wire::kUdp, h + payload);
}

inline Bytes icmp(const IpAddr& from, const IpAddr& to, std::uint8_t type, std::uint8_t code,
                  std::uint32_t rest, const Bytes& payload = {}) {
  Bytes h(net::wire::kIcmpHeader);
  h[0] = type;
  h[1] = code;
  net::wire::store32(&h[4], rest);
  return summed(from, to, from.is_v4() ? net::wire::kIcmp : net::wire::kIcmpv6, h + payload);
}

inline Bytes arp(std::uint16_t operation, const MacAddr& sender_mac, const IpAddr& sender,
                 const MacAddr& target_mac, const IpAddr& target) {
  Bytes h(net::wire::kArpSize);
  net::wire::store16(&h[0], 1);
  net::wire::store16(&h[2], net::wire::kEtherIpv4);
  h[4] = 6;
  h[5] = 4;
  net::wire::store16(&h[6], operation);
  net::wire::store_mac(&h[8], sender_mac);
  std::memcpy(&h[14], sender.wire(), 4);
  net::wire::store_mac(&h[18], target_mac);
  std::memcpy(&h[24], target.wire(), 4);
  return h;
}

/// NS or NA with one link-address option, or none when `option` is 0.
inline Bytes nd(const IpAddr& from, const IpAddr& to, std::uint8_t type, std::uint8_t flags,
                const IpAddr& target, std::uint8_t option, const MacAddr& link) {
  Bytes body(16);
  std::memcpy(&body[0], target.wire(), 16);
  if (option != 0) {
    body.resize(24);
    body[16] = option;
    body[17] = 1;
    net::wire::store_mac(&body[18], link);
  }
  return icmp(from, to, type, 0, static_cast<std::uint32_t>(flags) << 24, body);
}

inline rte_mbuf* frame(const Bytes& bytes, std::size_t segment = 2000) {
  return chain_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, segment).release();
}

}  // namespace sluice::test
