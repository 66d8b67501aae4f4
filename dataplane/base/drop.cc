// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/drop.h"

#include <string>

namespace sluice {
namespace {

struct Name {
  DropReason reason;
  std::string_view name;
};

using enum DropReason;
constexpr std::array<Name, kDropReasons> kNames{{
    {kFrameTooShort, "frame_too_short"},
    {kEthertypeUnknown, "ethertype_unknown"},
    {kVlanUnknown, "vlan_unknown"},
    {kNotForOurMac, "not_for_our_mac"},
    {kArpMalformed, "arp_malformed"},
    {kArpIgnored, "arp_ignored"},
    {kNdMalformed, "nd_malformed"},
    {kNdIgnored, "nd_ignored"},
    {kIpMalformed, "ip_malformed"},
    {kIpChecksum, "ip_checksum"},
    {kIpTtlExceeded, "ip_ttl_exceeded"},
    {kIpBadAddress, "ip_bad_address"},
    {kIpNotLocal, "ip_not_local"},
    {kIpFragment, "ip_fragment"},
    {kIpProtocolUnknown, "ip_protocol_unknown"},
    {kIpv6ExtensionHeader, "ipv6_extension_header"},
    {kIcmpMalformed, "icmp_malformed"},
    {kIcmpChecksum, "icmp_checksum"},
    {kIcmpIgnored, "icmp_ignored"},
    {kIcmpRateLimited, "icmp_rate_limited"},
    {kTcpMalformed, "tcp_malformed"},
    {kTcpChecksum, "tcp_checksum"},
    {kTcpNoListener, "tcp_no_listener"},
    {kTcpSourceDenied, "tcp_source_denied"},
    {kTcpNoConnection, "tcp_no_connection"},
    {kTcpBadSegment, "tcp_bad_segment"},
    {kTcpBacklogFull, "tcp_backlog_full"},
    {kTcpConnectionLimit, "tcp_connection_limit"},
    {kTcpMaxConnections, "tcp_max_connections"},
    {kTcpConnectionRate, "tcp_connection_rate"},
    {kTcpSourceRate, "tcp_source_rate"},
    {kTcpHandshakeRate, "tcp_handshake_rate"},
    {kTcpOutOfWindow, "tcp_out_of_window"},
    {kTcpReassemblyFull, "tcp_reassembly_full"},
    {kUdpMalformed, "udp_malformed"},
    {kUdpChecksum, "udp_checksum"},
    {kUdpNoListener, "udp_no_listener"},
    {kNoMemory, "no_memory"},
    {kHandoverRingFull, "handover_ring_full"},
    {kNoRoute, "no_route"},
    {kNeighborUnresolved, "neighbor_unresolved"},
    {kNeighborQueueFull, "neighbor_queue_full"},
    {kTooBig, "too_big"},
    {kTxQueueFull, "tx_queue_full"},
    {kLinkDown, "link_down"},
}};

/// A reason that is added to the enum only, or out of order, does not compile.
constexpr bool complete() {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (static_cast<std::size_t>(kNames[i].reason) != i || kNames[i].name.empty()) return false;
  }
  return true;
}
static_assert(complete());

}  // namespace

std::string_view drop_reason_name(DropReason r) {
  const auto i = static_cast<std::size_t>(r);
  return i < kNames.size() ? kNames[i].name : "unknown";
}

void DropCounters::visit(MetricSink& sink, std::string_view labels) const {
  for (const Name& n : kNames) {
    std::string all(labels);
    if (!all.empty()) all += ',';
    all.append("reason=\"").append(n.name).append("\"");
    sink.counter("sluice_drops_total", "Packets that went no further, by reason.", all, get(n.reason));
  }
}

}  // namespace sluice
