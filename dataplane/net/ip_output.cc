// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/ip_output.h"

#include <cassert>

#include "dataplane/base/checksum.h"
#include "dataplane/net/ip_layer.h"
#include "dataplane/net/segmenter.h"
#include "dataplane/net/wire.h"

namespace sluice::net {

using enum DropReason;
using namespace wire;

std::uint16_t IpLayer::mtu(const IpAddr& destination) const {
  const auto hop = routes_.lookup(destination);
  return hop ? interfaces_[hop->port.value].mtu : std::uint16_t{0};
}

std::optional<IpAddr> IpLayer::source_for(const IpAddr& destination) const {
  const auto hop = routes_.lookup(destination);
  if (!hop) return std::nullopt;
  const Interface& itf = interfaces_[hop->port.value];
  if (destination.is_v6() && destination.is_link_local()) return itf.link_local;
  std::optional<IpAddr> any;
  for (const IpPrefix& p : itf.addresses) {
    if (p.address.is_v4() != destination.is_v4()) continue;
    if (p.contains(hop->address)) return p.address;
    if (!any) any = p.address;
  }
  return any;
}

void IpLayer::send(std::span<OutPacket> batch, Instant now) {
  for (OutPacket& p : batch) send_one(p, now);
}

void IpLayer::send_one(OutPacket& p, Instant now) {
  if (p.chain.empty()) return;
  if (p.destination.is_multicast() || p.destination.is_v4_broadcast()) {
    p.chain.clear();
    return drop(kIpBadAddress);
  }
  const auto hop = routes_.lookup(p.destination);
  if (!hop) {
    p.chain.clear();
    return drop(kNoRoute);
  }
  send_via(hop->port, hop->address, p, now);
}

/// Takes the packet, whatever becomes of it.
void IpLayer::send_via(PortId port, const IpAddr& next_hop, OutPacket& p, Instant now) {
  OutPacket packet = std::move(p);
  const Interface& itf = interfaces_[port.value];
  const std::size_t header = packet.destination.is_v4() ? kIpv4Header : kIpv6Header;
  // What is to be cut has its header in a segment of its own.
  const std::size_t size = packet.segment_size == 0 ? packet.chain.size()
                                                    : BufChain::view(packet.chain.front()).size() + packet.segment_size;
  if (size + header > itf.mtu) return drop(kTooBig);
  if (!sink_.link_up(port)) return drop(kLinkDown);
  if (const MacAddr* mac = neighbors_.lookup(port, next_hop, now)) return emit(port, *mac, packet);
  // Asking the link for one of our own addresses would end in a time-out.
  if (local_.is_local(next_hop)) return drop(kNoRoute);
  neighbors_.enqueue(port, next_hop, std::move(packet), now);
}

void IpLayer::emit(PortId port, const MacAddr& to, OutPacket& p) {
  const Interface& itf = interfaces_[port.value];
  if (p.segment_size == 0 || p.chain.segments() <= itf.tx_tcp_segmentation) return emit_frame(port, to, p);
  Segmenter segments(std::move(p), buffers_);
  while (std::optional<OutPacket> one = segments.next()) emit_frame(port, to, *one);
  if (segments.exhausted()) drop(kNoMemory);
}

void IpLayer::emit_frame(PortId port, const MacAddr& to, OutPacket& p) {
  const Interface& itf = interfaces_[port.value];
  assert(rte_mbuf_refcnt_read(p.chain.head()) == 1);
  const bool v4 = p.destination.is_v4();
  std::uint64_t flags = v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  if (!itf.tx_multi_segment && !linearise(p.chain)) return;
  // What we make has kTxHeadroom; an echoed frame has what its driver left and its own headers gave back.
  const std::size_t headers =
      kEthernetHeader + (itf.vlan == 0 ? 0 : kVlanTag) + (v4 ? kIpv4Header : kIpv6Header);
  if (rte_pktmbuf_headroom(p.chain.head()) < headers) return drop(kNoMemory);
  const std::size_t transport_header = p.segment_size == 0 ? 0 : p.chain.head()->data_len;
  fill_checksum(itf, p, flags);
  prepend_ip(p, itf.tx_ipv4_checksum);
  if (v4 && itf.tx_ipv4_checksum) flags |= RTE_MBUF_F_TX_IP_CKSUM;
  prepend_link(itf, p.chain, to, v4 ? kEtherIpv4 : kEtherIpv6);
  rte_mbuf* frame = finish(itf, std::move(p.chain), flags, v4 ? kIpv4Header : kIpv6Header);
  if (p.segment_size != 0) {
    frame->l4_len = transport_header;
    frame->tso_segsz = p.segment_size;
  }
  queue(port, frame);
}

void IpLayer::fill_checksum(const Interface& itf, OutPacket& p, std::uint64_t& flags) const {
  const int at = checksum_offset(p.protocol);
  if (at < 0) return;
  std::uint8_t* field = rte_pktmbuf_mtod(p.chain.head(), std::uint8_t*) + at;
  InternetChecksum sum;
  if (p.protocol != kIcmp) {
    // With TSO the port adds each packet's length itself (rte_ipv4_phdr_cksum).
    const std::size_t length = p.segment_size == 0 ? p.chain.size() : 0;
    sum.add_pseudo_header(p.source, p.destination, p.protocol, static_cast<std::uint32_t>(length));
  }
  const bool tcp = p.protocol == kTcp && itf.tx_tcp_checksum;
  const bool udp = p.protocol == kUdp && itf.tx_udp_checksum;
  if (tcp || udp) {
    // The port goes on from the pseudo-header's sum.
    flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    if (p.segment_size != 0) flags |= RTE_MBUF_F_TX_TCP_SEG;
    return store(field, sum.sum());
  }
  store16(field, 0);
  be16 checksum = sum.add(p.chain).checksum();
  if (p.protocol == kUdp && checksum.raw() == 0) checksum = be16(0xffff);  // RFC 768
  store(field, checksum);
}

void IpLayer::prepend_ip(OutPacket& p, bool offload_ipv4_checksum) {
  const std::size_t payload = p.chain.size();
  if (p.destination.is_v6()) {
    std::uint8_t* h = p.chain.prepend(kIpv6Header);
    store32(h, 6u << 28 | static_cast<std::uint32_t>(p.tos) << 20);
    store16(h + 4, static_cast<std::uint16_t>(payload));
    h[6] = p.protocol;
    h[7] = p.ttl;
    std::memcpy(h + 8, p.source.wire(), 16);
    std::memcpy(h + 24, p.destination.wire(), 16);
    return;
  }
  std::uint8_t* h = p.chain.prepend(kIpv4Header);
  h[0] = 0x45;
  h[1] = p.tos;
  store16(h + 2, static_cast<std::uint16_t>(payload + kIpv4Header));
  store16(h + 4, next_ip_id_++);
  store16(h + 6, p.protocol == kTcp ? 0x4000 : 0);  // DF for TCP: path MTU discovery (RFC 1191)
  h[8] = p.ttl;
  h[9] = p.protocol;
  store16(h + 10, 0);
  std::memcpy(h + 12, p.source.wire(), 4);
  std::memcpy(h + 16, p.destination.wire(), 4);
  if (!offload_ipv4_checksum) store(h + 10, InternetChecksum().add({h, kIpv4Header}).checksum());
}

void IpLayer::prepend_link(const Interface& itf, BufChain& frame, const MacAddr& to,
                           std::uint16_t ethertype) {
  const std::size_t size = itf.vlan == 0 ? kEthernetHeader : kEthernetHeader + kVlanTag;
  std::uint8_t* h = frame.prepend(size);
  store_mac(h, to);
  store_mac(h + 6, itf.mac);
  if (itf.vlan != 0) {
    store16(h + 12, kEtherVlan);
    store16(h + 14, itf.vlan);
  }
  store16(h + size - 2, ethertype);
}

/// A copy in one segment, for ports that take no others. False (and counted): no room or no memory.
bool IpLayer::linearise(BufChain& chain) {
  if (chain.segments() == 1) return true;
  Buf flat = buffers_.alloc();
  if (!flat || flat.tailroom() < chain.size()) {
    drop(flat ? kTooBig : kNoMemory);
    return false;
  }
  const std::size_t size = chain.size();
  chain.copy_out(0, {flat.append(size), size});
  chain = BufChain(std::move(flat));
  return true;
}

/// The frame as a driver takes it.
rte_mbuf* IpLayer::finish(const Interface& itf, BufChain frame, std::uint64_t flags, std::size_t l3_size) {
  rte_mbuf* m = frame.release();
  m->ol_flags = flags | (m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL));
  m->tx_offload = 0;
  m->l2_len = itf.vlan == 0 ? kEthernetHeader : kEthernetHeader + kVlanTag;
  m->l3_len = static_cast<std::uint16_t>(l3_size);
  return m;
}

/// The sink gets them in batches.
void IpLayer::queue(PortId port, rte_mbuf* frame) {
  Batch& b = batches_[port.value];
  b.frames[b.count++] = frame;
  if (b.count == kBatch) flush(port);
}

void IpLayer::flush(PortId port) {
  Batch& b = batches_[port.value];
  if (b.count == 0) return;
  sink_.transmit(port, {b.frames.data(), b.count});
  b.count = 0;
}

}  // namespace sluice::net
