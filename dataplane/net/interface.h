// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/buf.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/ip.h"

namespace sluice::net {

/// What the IP layer knows of one port. Immutable while workers run.
struct Interface {
  std::string name;
  MacAddr mac;
  IpAddr link_local;                ///< fe80::/64 with the EUI-64 of `mac`; source of ND.
  std::vector<IpPrefix> addresses;  ///< Own addresses, with the on-link prefix.
  std::uint16_t mtu = 1500;         ///< IP packet, bytes.
  std::uint16_t vlan = 0;           ///< 0: untagged.
  bool tx_ipv4_checksum = false;    ///< Offered by the port; else in software.
  bool tx_tcp_checksum = false;
  bool tx_udp_checksum = false;
  bool tx_multi_segment = true;  ///< False: frames are made one segment before they are sent.
  /// TSO: of a packet with OutPacket::segment_size, in that many buffers; 0: it is cut in software.
  std::uint16_t tx_tcp_segmentation = 0;
  /// The peer is a kernel on the same machine (AF_PACKET, AF_XDP, TAP), and does not say so of a packet: it
  /// may hand over packets of its own whose transport checksum is only begun (CHECKSUM_PARTIAL: the field
  /// holds the folded pseudo-header sum), because no wire lies between. Such a field is accepted; a wrong
  /// segment would pass with probability 2^-16, as with the checksum itself.
  bool accept_partial_checksum = false;
};

/// Where finished frames go. Implemented by the worker, and by tests with a recorder. Thread: the worker's.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// Takes the frames.
  virtual void transmit(PortId port, std::span<rte_mbuf* const> frames) = 0;
  virtual bool link_up(PortId port) const = 0;
};

}  // namespace sluice::net
