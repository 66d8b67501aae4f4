// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/ip_layer.h"

#include <algorithm>

#include "dataplane/base/checksum.h"
#include "dataplane/net/wire.h"

namespace sluice::net {

using enum DropReason;
using namespace wire;

IpLayer::IpLayer(const Services& s, const NeighborTable::Limits& limits)
    : interfaces_(s.interfaces),
      routes_(s.routes),
      buffers_(s.buffers),
      drops_(s.drops),
      sink_(s.sink),
      timers_(s.timers),
      local_(s.interfaces),
      neighbors_(limits, s.timers, s.drops, *this),
      error_limit_(kErrorsPerSecond),
      batches_(s.interfaces.size()),
      announce_timer_([](void* self, Instant now) { static_cast<IpLayer*>(self)->announce_again(now); },
                      this) {}

IpLayer::~IpLayer() {
  for (const Batch& b : batches_) {
    for (std::size_t i = 0; i < b.count; ++i) rte_pktmbuf_free(b.frames[i]);
  }
}

void IpLayer::input(PortId port, std::span<rte_mbuf* const> frames, Instant now, Received& out) {
  constexpr std::size_t kAhead = 4;
  for (std::size_t i = 0; i < std::min(kAhead, frames.size()); ++i)
    __builtin_prefetch(rte_pktmbuf_mtod(frames[i], void*));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (i + kAhead < frames.size()) __builtin_prefetch(rte_pktmbuf_mtod(frames[i + kAhead], void*));
    input_frame(port, frames[i], now, out);
  }
}

void IpLayer::flush() {
  for (std::uint32_t i = 0; i < batches_.size(); ++i) flush(PortId{i});
}

void IpLayer::take_unresolved(std::vector<IcmpError>& out) {
  out.insert(out.end(), unresolved_.begin(), unresolved_.end());
  unresolved_.clear();
}

/// Link header, then by ethertype.
void IpLayer::input_frame(PortId port, rte_mbuf* frame, Instant now, Received& out) {
  Inbound in;
  in.port = port;
  in.offload_flags = frame->ol_flags;
  std::optional<std::uint16_t> stripped;
  if ((frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) stripped = frame->vlan_tci;
  in.chain = BufChain::adopt(frame);
  if (in.chain.empty()) return drop(kFrameTooShort);

  if (const Verdict v =
          parse_link(BufChain::view(in.chain.front()), interfaces_[port.value], stripped, in.link)) {
    return drop(*v);
  }
  in.chain.drop_front(in.link.size);
  if (in.chain.empty()) return drop(kFrameTooShort);
  switch (in.link.ethertype) {
    case kEtherIpv4:
      return input_ip(in, false, now, out);
    case kEtherIpv6:
      return input_ip(in, true, now, out);
    case kEtherArp:
      return input_arp(port, in.link, BufChain::view(in.chain.front()), now, out);
    default:
      return drop(kEthertypeUnknown);
  }
}

/// Header, destination, then by protocol.
void IpLayer::input_ip(Inbound& in, bool v6, Instant now, Received& out) {
  const auto head = BufChain::view(in.chain.front());
  const bool checksum_good = (in.offload_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  const Verdict v =
      v6 ? parse_ipv6(head, in.chain.size(), in.ip) : parse_ipv4(head, in.chain.size(), checksum_good, in.ip);
  if (v) return drop(*v);
  in.chain.drop_back(in.chain.size() - in.ip.header_size - in.ip.payload_size);

  const bool is_nd = v6 && in.ip.protocol == kIcmpv6 && in.ip.destination.is_multicast();
  if (!is_nd) {
    if (!local_.is_local(in.ip.destination)) return drop(kIpNotLocal);
    // A unicast packet in a broadcast frame is a forgery or an accident (RFC 1122, 3.3.6).
    if (in.link.group || in.ip.source.is_unspecified()) return drop(kIpBadAddress);
  }
  // Nobody else may speak in our name (land attack, or a loop).
  if (local_.is_local(in.ip.source)) return drop(kIpBadAddress);

  switch (in.ip.protocol) {
    case kTcp:
      return input_tcp(in, now, out);
    case kUdp:
      return input_udp(in, now);
    case kIcmp:
      if (!v6) return input_icmp(in, now, out);
      break;
    case kIcmpv6:
      if (v6) return input_icmpv6(in, now, out);
      break;
    default:
      break;
  }
  drop(kIpProtocolUnknown);
  if (v6) {
    constexpr std::uint8_t kParameterProblem = 4, kUnrecognizedNextHeader = 1;  // RFC 4443, 3.4
    return send_error(in, kParameterProblem, kUnrecognizedNextHeader, in.ip.protocol_pointer, now);
  }
  constexpr std::uint8_t kUnreachable = 3, kProtocol = 2;  // RFC 1122, 3.2.2.1
  send_error(in, kUnreachable, kProtocol, 0, now);
}

/// `chain` starts at the transport header.
bool IpLayer::transport_checksum_ok(const Inbound& in, const BufChain& chain) const {
  // What the NIC found good is good, and so is what never was on a wire: NONE says that the field is not to
  // be looked at (virtio's VIRTIO_NET_HDR_F_NEEDS_CSUM, Virtio 1.1, 5.1.6.4). What the NIC found bad is
  // looked at again: a kernel peer's unfinished checksum looks bad to it as well.
  const std::uint64_t verdict = in.offload_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (verdict == RTE_MBUF_F_RX_L4_CKSUM_GOOD || verdict == RTE_MBUF_F_RX_L4_CKSUM_NONE) return true;
  InternetChecksum sum;
  const auto length = static_cast<std::uint32_t>(chain.size());
  if (in.ip.protocol != kIcmp) sum.add_pseudo_header(in.ip.source, in.ip.destination, in.ip.protocol, length);
  const std::uint16_t partial = sum.sum().raw();
  if (sum.add(chain).valid()) return true;
  if (!interfaces_[in.port.value].accept_partial_checksum) return false;
  const int at = checksum_offset(in.ip.protocol);
  std::uint16_t field;
  std::memcpy(&field, BufChain::view(chain.front()).data() + at, sizeof field);
  return field == partial;
}

void IpLayer::input_tcp(Inbound& in, Instant, Received& out) {
  BufChain& chain = in.chain;
  chain.drop_front(in.ip.header_size);
  if (chain.empty()) return drop(kTcpMalformed);
  const auto head = BufChain::view(chain.front());
  if (head.size() < kTcpHeader) return drop(kTcpMalformed);
  const std::size_t header = (head[12] >> 4) * 4u;
  if (header < kTcpHeader || header > head.size()) return drop(kTcpMalformed);
  if (!transport_checksum_ok(in, chain)) return drop(kTcpChecksum);

  Packet& p = out.packets.emplace_back();
  p.flow = {{in.ip.destination, load16(&head[2])}, {in.ip.source, load16(&head[0])}};
  p.header_len = static_cast<std::uint16_t>(header);
  p.protocol = kTcp;
  p.tos = in.ip.tos;
  p.ttl = in.ip.ttl;
  p.port = in.port;
  p.chain = std::move(chain);
}

/// Nothing here speaks UDP yet, which the sender is told (RFC 1122, 4.1.3.1).
void IpLayer::input_udp(Inbound& in, Instant now) {
  const auto head = BufChain::view(in.chain.front()).subspan(in.ip.header_size);
  if (head.size() < kUdpHeader) return drop(kUdpMalformed);
  const std::size_t length = load16(&head[4]);
  if (length < kUdpHeader || length > in.ip.payload_size) return drop(kUdpMalformed);
  drop(kUdpNoListener);
  constexpr std::uint8_t kUnreachable4 = 3, kPort4 = 3, kUnreachable6 = 1, kPort6 = 4;
  if (in.ip.source.is_v4()) return send_error(in, kUnreachable4, kPort4, 0, now);
  send_error(in, kUnreachable6, kPort6, 0, now);
}

}  // namespace sluice::net
