// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/buf.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/ip.h"

namespace sluice::net {

/// A received packet for a local address, parsed once. What is up here was checked: the IP header and, for
/// TCP, the fixed header, data offset, length and checksum are valid. Owned by the worker; moves upwards.
///
/// `chain` starts at the transport header (Ethernet, VLAN and IP headers are trimmed off, still in the headroom);
/// link padding behind the IP payload is trimmed as well.
struct Packet {
  BufChain chain;
  FlowKey flow;               ///< local = destination. Ports are 0 for protocols without them.
  std::uint16_t header_len = 0;  ///< Transport header with options, bytes, contiguous at the start of the chain.
  std::uint8_t protocol = 0;  ///< IP protocol number.
  std::uint8_t tos = 0;       ///< Traffic class; ECN in the two low bits.
  std::uint8_t ttl = 0;
  PortId port;

  std::size_t payload_len() const { return chain.size() - header_len; }
};

/// A packet to send. `chain` starts at the transport header, whose checksum field the IP layer fills in (offload or
/// software), with at least kTxHeadroom bytes of headroom in the first segment, which must be exclusive
/// (Buf::exclusive); later segments may be shared and are not written.
struct OutPacket {
  BufChain chain;
  IpAddr source;
  IpAddr destination;
  std::uint8_t protocol = 0;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  /// TCP only, 0: it goes out as it is. Else it goes out as packets of that much payload, made by the port (TSO) or in
  /// software; the chain's first segment holds the TCP header and nothing else.
  std::uint16_t segment_size = 0;
};
/// Payload of a packet that is to be cut: with all headers it fits into an IPv4 packet.
inline constexpr std::uint32_t kMaxCutPayload = 65'000;

/// Ethernet 14 + VLAN 4 + IPv6 40, rounded up. RTE_PKTMBUF_HEADROOM (128) covers it beside a TCP header with options.
inline constexpr std::size_t kTxHeadroom = 64;

/// An ICMP or ICMPv6 error about a flow of ours (RFC 792, RFC 4443), from a packet whose quoted headers were valid.
struct IcmpError {
  enum class Kind : std::uint8_t { kUnreachable, kPortUnreachable, kTooBig, kTimeExceeded };
  Kind kind = Kind::kUnreachable;
  FlowKey flow;                 ///< As seen from here: local = source of the quoted packet.
  std::uint8_t protocol = 0;
  std::uint16_t mtu = 0;        ///< kTooBig only.
  std::uint32_t tcp_seq = 0;    ///< Sequence number in the quoted TCP header, for RFC 5927 checks.
};

}  // namespace sluice::net
