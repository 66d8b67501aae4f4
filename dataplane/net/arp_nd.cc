// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/base/checksum.h"
#include "dataplane/net/ip_layer.h"
#include "dataplane/net/wire.h"

namespace sluice::net {

using enum DropReason;
using namespace wire;

namespace {

constexpr std::uint16_t kArpRequest = 1, kArpReply = 2;
constexpr std::uint8_t kNeighborSolicitation = 135, kNeighborAdvertisement = 136;
constexpr std::uint8_t kSourceLinkAddress = 1, kTargetLinkAddress = 2;
constexpr std::size_t kNdHeader = 24;  // ICMPv6 header, 4 bytes of flags, target
constexpr std::uint8_t kSolicitedFlag = 0x40, kOverrideFlag = 0x20;

/// A link address that a neighbour can have.
bool plausible(const MacAddr& m) { return !is_group(m) && !is_zero(m); }

struct NdMessage {
  std::uint8_t flags = 0;
  IpAddr target;
  std::optional<MacAddr> link_address;
};

/// RFC 4861, 7.1.1 and 7.1.2, as far as both messages share it.
std::optional<NdMessage> parse_nd(std::span<const std::uint8_t> icmp, std::uint8_t link_option) {
  if (icmp.size() < kNdHeader || icmp[1] != 0) return std::nullopt;
  NdMessage out;
  out.flags = icmp[4];
  out.target = IpAddr::v6_bytes(&icmp[8]);
  if (out.target.is_multicast() || out.target.is_v4() || out.target.is_unspecified()) return std::nullopt;
  for (auto options = icmp.subspan(kNdHeader); !options.empty();) {
    if (options.size() < 2 || options[1] == 0 || options[1] * 8u > options.size()) return std::nullopt;
    if (options[0] == link_option && options[1] == 1) out.link_address = load_mac(&options[2]);
    options = options.subspan(options[1] * 8u);
  }
  if (out.link_address && !plausible(*out.link_address)) return std::nullopt;
  return out;
}

}  // namespace

bool IpLayer::on_link(PortId port, const IpAddr& a) const {
  if (a.is_v6() && a.is_link_local()) return true;
  return std::ranges::any_of(interfaces_[port.value].addresses,
                             [&](const IpPrefix& p) { return p.contains(a); });
}

void IpLayer::learn_and_tell(const NeighborUpdate& u, DropReason otherwise, Instant now, Received& out) {
  // The other workers' tables may want what this one does not.
  out.neighbors.push_back(u);
  if (!neighbors_.update(u, now) && u.kind != NeighborUpdate::Kind::kAsked) drop(otherwise);
}

/// RFC 826, "Packet Reception", with RFC 5227's probes (sender 0.0.0.0) answered and nothing learned from
/// them.
void IpLayer::input_arp(PortId port, const LinkHeader& link, std::span<const std::uint8_t> arp, Instant now,
                        Received& out) {
  if (arp.size() < kArpSize || load16(&arp[0]) != 1 || load16(&arp[2]) != kEtherIpv4 || arp[4] != 6 ||
      arp[5] != 4) {
    return drop(kArpMalformed);
  }
  const std::uint16_t operation = load16(&arp[6]);
  const MacAddr sender_mac = load_mac(&arp[8]);
  const IpAddr sender = IpAddr::v4_bytes(&arp[14]);
  const IpAddr target = IpAddr::v4_bytes(&arp[24]);
  // The frame's sender and the message's must be one (a relay has no business here).
  if ((operation != kArpRequest && operation != kArpReply) || !plausible(sender_mac) ||
      sender_mac != link.source) {
    return drop(kArpMalformed);
  }
  // Nobody speaks for our addresses, nor for hosts that are not on this link.
  if (local_.is_local(sender)) return drop(kArpIgnored);
  const bool probe = sender.is_unspecified();
  if (!probe && !on_link(port, sender)) return drop(kArpIgnored);

  const bool for_us = local_.answers_on(port, target);
  NeighborUpdate u{port, sender, sender_mac, NeighborUpdate::Kind::kAnnounced, true};
  if (operation == kArpReply) {
    if (probe) return drop(kArpIgnored);
    if (for_us && !link.group) u.kind = NeighborUpdate::Kind::kAnswered;
    return learn_and_tell(u, kArpIgnored, now, out);
  }
  if (!for_us) {
    // Requests for others are not our business, but an announcement (sender asks for itself) may be.
    if (probe || sender != target) return drop(kArpIgnored);
    return learn_and_tell(u, kArpIgnored, now, out);
  }
  if (!probe) {
    u.kind = NeighborUpdate::Kind::kAsked;
    learn_and_tell(u, kArpIgnored, now, out);
  }
  send_arp(port, kArpReply, target, sender_mac, sender, sender_mac);
}

/// RFC 4861, 7.2.3 and 7.2.4. `in.chain` starts at the ICMPv6 header, whose checksum and hop limit are right.
void IpLayer::input_neighbor_solicitation(Inbound& in, Instant now, Received& out) {
  const auto nd = parse_nd(BufChain::view(in.chain.front()), kSourceLinkAddress);
  const bool unspecified = in.ip.source.is_unspecified();
  // Duplicate address detection comes from nowhere, to the solicited-node group, without a link address.
  if (!nd || (unspecified && (nd->link_address || in.ip.destination != solicited_node(nd->target)))) {
    return drop(kNdMalformed);
  }
  if (!local_.answers_on(in.port, nd->target)) return drop(kNdIgnored);
  if (unspecified) {
    return send_advertisement(in.port, nd->target, all_nodes(), multicast_mac(all_nodes()), false);
  }
  if (!on_link(in.port, in.ip.source)) return drop(kNdIgnored);
  const MacAddr mac = nd->link_address.value_or(in.link.source);
  if (nd->link_address) {
    learn_and_tell({in.port, in.ip.source, mac, NeighborUpdate::Kind::kAsked, true}, kNdIgnored, now, out);
  }
  if (!plausible(mac)) return drop(kNdMalformed);
  send_advertisement(in.port, nd->target, in.ip.source, mac, true);
}

/// RFC 4861, 7.2.5.
void IpLayer::input_neighbor_advertisement(Inbound& in, Instant now, Received& out) {
  const auto nd = parse_nd(BufChain::view(in.chain.front()), kTargetLinkAddress);
  if (!nd) return drop(kNdMalformed);
  const bool solicited = (nd->flags & kSolicitedFlag) != 0;
  if (solicited && in.ip.destination.is_multicast()) return drop(kNdMalformed);
  // An answer to a unicast solicitation may leave the link address out (7.2.4): then it is the frame's.
  const MacAddr mac = nd->link_address.value_or(in.link.source);
  if (local_.is_local(nd->target) || !on_link(in.port, nd->target) || !plausible(mac))
    return drop(kNdIgnored);
  const auto kind = solicited ? NeighborUpdate::Kind::kAnswered : NeighborUpdate::Kind::kAnnounced;
  learn_and_tell({in.port, nd->target, mac, kind, (nd->flags & kOverrideFlag) != 0}, kNdIgnored, now, out);
}

void IpLayer::send_arp(PortId port, std::uint16_t operation, const IpAddr& sender, const MacAddr& target_mac,
                       const IpAddr& target, const MacAddr& to) {
  if (!sink_.link_up(port)) return drop(kLinkDown);
  Buf b = buffers_.alloc();
  if (!b) return drop(kNoMemory);
  const Interface& itf = interfaces_[port.value];
  std::uint8_t* h = b.append(kArpSize);
  store16(h, 1);
  store16(h + 2, kEtherIpv4);
  h[4] = 6;
  h[5] = 4;
  store16(h + 6, operation);
  store_mac(h + 8, itf.mac);
  std::memcpy(h + 14, sender.wire(), 4);
  store_mac(h + 18, target_mac);
  std::memcpy(h + 24, target.wire(), 4);
  BufChain frame(std::move(b));
  prepend_link(itf, frame, to, kEtherArp);
  queue(port, finish(itf, std::move(frame), 0, 0));
}

namespace {

/// ICMPv6 NS or NA with its one option.
OutPacket make_nd(BufPool& buffers, std::uint8_t type, std::uint8_t flags, const IpAddr& target,
                  std::uint8_t option, const MacAddr& mac) {
  OutPacket p;
  Buf b = buffers.alloc();
  if (!b) return p;
  std::uint8_t* h = b.append(kNdHeader + 8);
  std::memset(h, 0, kNdHeader + 8);
  h[0] = type;
  h[4] = flags;
  std::memcpy(h + 8, target.wire(), 16);
  h[24] = option;
  h[25] = 1;
  store_mac(h + 26, mac);
  p.chain = BufChain(std::move(b));
  p.protocol = kIcmpv6;
  p.ttl = 255;
  return p;
}

}  // namespace

void IpLayer::send_advertisement(PortId port, const IpAddr& target, const IpAddr& to, const MacAddr& mac,
                                 bool solicited) {
  if (!sink_.link_up(port)) return drop(kLinkDown);
  const Interface& itf = interfaces_[port.value];
  const std::uint8_t flags = solicited ? kSolicitedFlag | kOverrideFlag : kOverrideFlag;
  OutPacket p = make_nd(buffers_, kNeighborAdvertisement, flags, target, kTargetLinkAddress, itf.mac);
  if (p.chain.empty()) return drop(kNoMemory);
  p.source = target;  // any address of the interface (4.4); the target's own is one
  p.destination = to;
  emit(port, mac, p);
}

/// Source of a request: for ARP our address in the target's network, never a VIP (the peer would learn to
/// answer to an address that may move away); for ND the link-local address, which is always ours.
void IpLayer::solicit(PortId port, const IpAddr& address, const MacAddr* unicast, Instant) {
  if (!sink_.link_up(port)) return drop(kLinkDown);
  const Interface& itf = interfaces_[port.value];
  if (address.is_v4()) {
    IpAddr sender = IpAddr::v4(0);
    for (const IpPrefix& p : itf.addresses) {
      if (p.contains(address)) sender = p.address;
    }
    return send_arp(port, kArpRequest, sender, MacAddr{}, address,
                    unicast != nullptr ? *unicast : kBroadcastMac);
  }
  OutPacket p = make_nd(buffers_, kNeighborSolicitation, 0, address, kSourceLinkAddress, itf.mac);
  if (p.chain.empty()) return drop(kNoMemory);
  p.source = itf.link_local;
  p.destination = unicast != nullptr ? address : solicited_node(address);
  emit(port, unicast != nullptr ? *unicast : multicast_mac(p.destination), p);
}

void IpLayer::resolved(PortId port, const MacAddr& mac, OutPacket packet, Instant) {
  emit(port, mac, packet);
}

/// The sender of a packet for a neighbour that does not answer is told as a router would tell it (RFC
/// 1812, 4.3.3.1: host unreachable), so that a connect to a dead server need not wait for its time-out.
void IpLayer::unresolved(OutPacket p, Instant) {
  const auto head = BufChain::view(p.chain.front());
  if (p.protocol != kTcp || head.size() < kTcpHeader) return;
  IcmpError e;
  e.kind = IcmpError::Kind::kUnreachable;
  e.protocol = kTcp;
  e.flow = {{p.source, load16(&head[0])}, {p.destination, load16(&head[2])}};
  e.tcp_seq = load32(&head[4]);
  unresolved_.push_back(e);
}

void IpLayer::announce_address(PortId port, const IpAddr& a) {
  if (a.is_v4()) return send_arp(port, kArpRequest, a, MacAddr{}, a, kBroadcastMac);
  send_advertisement(port, a, all_nodes(), multicast_mac(all_nodes()), false);
}

void IpLayer::announce(PortId port, Instant now) {
  for (const IpAddr& a : local_.answered_on(port)) {
    announce_address(port, a);
    announce_again_.push_back({port, a});
  }
  timers_.arm(announce_timer_, now + std::chrono::seconds(1));
}

void IpLayer::announce_again(Instant) {
  for (const Announcement& a : announce_again_) {
    if (local_.answers_on(a.port, a.address)) announce_address(a.port, a.address);
  }
  announce_again_.clear();
}

void IpLayer::set_vips(const VipSet& vips, bool announce, Instant now) {
  const std::vector<IpAddr> fresh = local_.set_vips(vips);
  if (!announce) return;
  for (const IpAddr& a : fresh) {
    for (std::uint32_t i = 0; i < interfaces_.size(); ++i) {
      if (!local_.answers_on(PortId{i}, a)) continue;
      announce_address(PortId{i}, a);
      announce_again_.push_back({PortId{i}, a});
    }
  }
  if (!announce_again_.empty()) timers_.arm(announce_timer_, now + std::chrono::seconds(1));
}

void IpLayer::link_restored(PortId port, Instant) { neighbors_.forget(port); }

}  // namespace sluice::net
