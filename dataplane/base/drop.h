// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/base/counter.h"

namespace sluice {

/// Why a packet went no further. Every packet that is not forwarded, answered or delivered counts under exactly one
/// of these. Names are stable: dashboards and runbooks refer to them (docs/operations.md has one line for each).
enum class DropReason : std::uint8_t {
  // Ethernet
  kFrameTooShort,
  kEthertypeUnknown,
  kVlanUnknown,
  kNotForOurMac,
  // ARP and ND
  kArpMalformed,
  kArpIgnored,
  kNdMalformed,
  kNdIgnored,
  // IP
  kIpMalformed,
  kIpChecksum,
  kIpTtlExceeded,
  kIpBadAddress,
  kIpNotLocal,
  kIpFragment,
  kIpProtocolUnknown,
  kIpv6ExtensionHeader,
  // ICMP
  kIcmpMalformed,
  kIcmpChecksum,
  kIcmpIgnored,
  kIcmpRateLimited,
  // Transport
  kTcpMalformed,
  kTcpChecksum,
  kTcpNoListener,
  kTcpSourceDenied,
  kTcpNoConnection,
  kTcpBadSegment,
  kTcpBacklogFull,
  kTcpConnectionLimit,
  kTcpMaxConnections,
  kTcpConnectionRate,
  kTcpSourceRate,
  kTcpHandshakeRate,
  kTcpOutOfWindow,
  kTcpReassemblyFull,
  kUdpMalformed,
  kUdpChecksum,
  kUdpNoListener,
  // Inside and on the way out
  kNoMemory,
  kHandoverRingFull,
  kNoRoute,
  kNeighborUnresolved,
  kNeighborQueueFull,
  kTooBig,
  kTxQueueFull,
  kLinkDown,
  kCount,
};

inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(DropReason::kCount);

/// "tcp_checksum" for kTcpChecksum.
std::string_view drop_reason_name(DropReason r);

/// One a worker.
class DropCounters {
 public:
  void add(DropReason r, std::uint64_t n = 1) { counters_[static_cast<std::size_t>(r)].add(n); }
  std::uint64_t get(DropReason r) const { return counters_[static_cast<std::size_t>(r)].get(); }
  void visit(MetricSink& sink, std::string_view labels) const;

 private:
  std::array<Counter, kDropReasons> counters_{};
};

}  // namespace sluice
