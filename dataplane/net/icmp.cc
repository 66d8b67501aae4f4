// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "dataplane/net/ip_layer.h"
#include "dataplane/net/wire.h"

namespace sluice::net {

using enum DropReason;
using namespace wire;
using Kind = IcmpError::Kind;

namespace {

constexpr std::uint8_t kEchoReply4 = 0, kUnreachable4 = 3, kEcho4 = 8, kTimeExceeded4 = 11;
constexpr std::uint8_t kUnreachable6 = 1, kTooBig6 = 2, kTimeExceeded6 = 3, kEcho6 = 128, kEchoReply6 = 129;
constexpr std::uint8_t kNeighborSolicitation = 135, kNeighborAdvertisement = 136;

/// RFC 1191, 7: a router that does not say its MTU gets the next plateau below the packet that was too big.
std::uint16_t plateau_below(std::uint16_t length) {
  constexpr std::array<std::uint16_t, 10> kPlateaus{65535, 32000, 17914, 8166, 4352,
                                                    2002,  1492,  1006,  508,  296};
  for (const std::uint16_t p : kPlateaus) {
    if (p < length) return p;
  }
  return 68;
}

}  // namespace

void IpLayer::input_icmp(Inbound& in, Instant now, Received& out) {
  in.chain.drop_front(in.ip.header_size);
  if (in.chain.empty()) return drop(kIcmpMalformed);
  const auto icmp = BufChain::view(in.chain.front());
  if (icmp.size() < kIcmpHeader) return drop(kIcmpMalformed);
  if (!transport_checksum_ok(in, in.chain)) return drop(kIcmpChecksum);
  switch (icmp[0]) {
    case kEcho4:
      return answer_echo(in, kEchoReply4, now);
    case kUnreachable4:
    case kTimeExceeded4:
      return input_error4(in, icmp, out);
    default:
      return drop(kIcmpIgnored);
  }
}

void IpLayer::input_icmpv6(Inbound& in, Instant now, Received& out) {
  in.chain.drop_front(in.ip.header_size);
  if (in.chain.empty()) return drop(kIcmpMalformed);
  const auto icmp = BufChain::view(in.chain.front());
  if (icmp.size() < kIcmpHeader) return drop(kIcmpMalformed);
  if (!transport_checksum_ok(in, in.chain)) return drop(kIcmpChecksum);
  // Neighbour discovery has crossed no router (RFC 4861, 7.1).
  if (icmp[0] == kNeighborSolicitation) {
    if (in.ip.ttl != 255) return drop(kNdMalformed);
    return input_neighbor_solicitation(in, now, out);
  }
  if (icmp[0] == kNeighborAdvertisement) {
    if (in.ip.ttl != 255) return drop(kNdMalformed);
    return input_neighbor_advertisement(in, now, out);
  }
  // The rest, router advertisements among it, is no business of a configured appliance; to a group least of
  // all.
  if (in.ip.destination.is_multicast() || in.ip.source.is_unspecified()) return drop(kIcmpIgnored);
  switch (icmp[0]) {
    case kEcho6:
      return answer_echo(in, kEchoReply6, now);
    case kUnreachable6:
    case kTooBig6:
    case kTimeExceeded6:
      return input_error6(in, icmp, out);
    default:
      return drop(kIcmpIgnored);
  }
}

/// RFC 1122, 3.2.2.6 and RFC 4443, 4.2: the same data back, from the address that was asked. The buffer goes
/// back as it came.
void IpLayer::answer_echo(Inbound& in, std::uint8_t reply_type, Instant now) {
  OutPacket p;
  p.chain = std::move(in.chain);
  rte_pktmbuf_mtod(p.chain.head(), std::uint8_t*)[0] = reply_type;
  p.source = in.ip.destination;
  p.destination = in.ip.source;
  p.protocol = in.ip.protocol;
  p.tos = in.ip.tos & 0xfc;
  // A link-local peer is on the link that it spoke on.
  if (p.destination.is_v6() && p.destination.is_link_local()) {
    const IpAddr next_hop = p.destination;
    return send_via(in.port, next_hop, p, now);
  }
  send_one(p, now);
}

/// `icmp` is what lies in the first segment: enough for the quoted headers, or the message tells nothing.
void IpLayer::input_error4(Inbound& in, std::span<const std::uint8_t> icmp, Received& out) {
  const auto quoted = icmp.subspan(kIcmpHeader);
  if (quoted.size() < kIpv4Header || quoted[0] >> 4 != 4) return drop(kIcmpMalformed);
  const std::size_t header = (quoted[0] & 0x0fu) * 4u;
  // RFC 792: the header and 64 bits of data, which hold the ports and the sequence number.
  if (header < kIpv4Header || quoted.size() < header + 8) return drop(kIcmpMalformed);
  const auto transport = quoted.subspan(header);
  IcmpError e;
  e.protocol = quoted[9];
  e.flow = {{IpAddr::v4_bytes(&quoted[12]), load16(&transport[0])},
            {IpAddr::v4_bytes(&quoted[16]), load16(&transport[2])}};
  e.tcp_seq = load32(&transport[4]);
  // Only the first fragment has ports; only what we can have sent concerns us.
  if (e.protocol != kTcp || (load16(&quoted[6]) & 0x1fff) != 0 || !local_.is_local(e.flow.local.address)) {
    return drop(kIcmpIgnored);
  }
  constexpr std::uint8_t kPort = 3, kFragmentationNeeded = 4;
  if (icmp[0] == kTimeExceeded4) {
    e.kind = Kind::kTimeExceeded;
  } else if (icmp[1] == kFragmentationNeeded) {
    e.kind = Kind::kTooBig;
    e.mtu = load16(&icmp[6]);
    if (e.mtu == 0) e.mtu = plateau_below(load16(&quoted[2]));
  } else {
    e.kind = icmp[1] == kPort ? Kind::kPortUnreachable : Kind::kUnreachable;
  }
  out.errors.push_back(e);
}

void IpLayer::input_error6(Inbound& in, std::span<const std::uint8_t> icmp, Received& out) {
  const auto quoted = icmp.subspan(kIcmpHeader);
  // We send no extension headers, so TCP follows at once.
  if (quoted.size() < kIpv6Header + 8 || quoted[0] >> 4 != 6) return drop(kIcmpMalformed);
  const auto transport = quoted.subspan(kIpv6Header);
  IcmpError e;
  e.protocol = quoted[6];
  e.flow = {{IpAddr::v6_bytes(&quoted[8]), load16(&transport[0])},
            {IpAddr::v6_bytes(&quoted[24]), load16(&transport[2])}};
  e.tcp_seq = load32(&transport[4]);
  if (e.protocol != kTcp || e.flow.local.address.is_v4() || e.flow.remote.address.is_v4() ||
      !local_.is_local(e.flow.local.address)) {
    return drop(kIcmpIgnored);
  }
  constexpr std::uint8_t kPort = 4;
  if (icmp[0] == kTimeExceeded6) {
    e.kind = Kind::kTimeExceeded;
  } else if (icmp[0] == kTooBig6) {
    e.kind = Kind::kTooBig;
    e.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(load32(&icmp[4]), 0xffff));
  } else {
    e.kind = icmp[1] == kPort ? Kind::kPortUnreachable : Kind::kUnreachable;
  }
  out.errors.push_back(e);
}

/// About a unicast packet for us (which input_ip has made sure of) that was no ICMP error. `in.chain` starts
/// at the IP header, which is quoted with as much of the rest as may be. `rest` is the second word of the
/// header.
void IpLayer::send_error(Inbound& in, std::uint8_t type, std::uint8_t code, std::uint32_t rest, Instant now) {
  if (!error_limit_.allow(now)) return drop(kIcmpRateLimited);
  const bool v4 = in.ip.source.is_v4();
  const std::size_t room =
      v4 ? kMaxError4 - kIpv4Header - kIcmpHeader : kMaxError6 - kIpv6Header - kIcmpHeader;
  const std::size_t quoted = std::min(in.chain.size(), room);
  Buf b = buffers_.alloc();
  if (!b) return drop(kNoMemory);
  std::uint8_t* h = b.append(kIcmpHeader + quoted);
  h[0] = type;
  h[1] = code;
  store32(h + 4, rest);
  in.chain.copy_out(0, {h + kIcmpHeader, quoted});
  OutPacket p;
  p.chain = BufChain(std::move(b));
  p.source = in.ip.destination;
  p.destination = in.ip.source;
  p.protocol = v4 ? kIcmp : kIcmpv6;
  if (p.destination.is_v6() && p.destination.is_link_local()) {
    const IpAddr next_hop = p.destination;
    return send_via(in.port, next_hop, p, now);
  }
  send_one(p, now);
}

}  // namespace sluice::net
