// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/drop.h"
#include "dataplane/base/ip.h"
#include "dataplane/net/interface.h"

/// From bytes to facts, without state: each function checks one header and says either why the packet must
/// go, or nothing and the facts. Nothing is read past the span.
namespace sluice::net {

using Verdict = std::optional<DropReason>;

struct LinkHeader {
  MacAddr source, destination;
  std::uint16_t ethertype = 0;
  std::uint16_t size = 0;  ///< Bytes up to the network header.
  bool group = false;      ///< Sent to a multicast or broadcast address.
};

/// Ethernet and one 802.1Q tag. `stripped_vlan`: tag control word that the NIC took out of the frame.
Verdict parse_link(std::span<const std::uint8_t> frame, const Interface& itf,
                   std::optional<std::uint16_t> stripped_vlan, LinkHeader& out);

struct IpHeader {
  IpAddr source, destination;
  std::uint16_t header_size = 0;   ///< With options or extension headers: where the transport header starts.
  std::uint16_t payload_size = 0;  ///< Without link padding.
  std::uint8_t protocol = 0;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 0;
  /// IPv6: where the Next Header field stands that led to `protocol` (for RFC 4443, 3.4).
  std::uint16_t protocol_pointer = 0;
};

/// `head` holds the start of the packet, at least the headers when it is well-formed; `total` its length in
/// all segments, link padding included. `checksum_good`: the NIC has verified the header.
Verdict parse_ipv4(std::span<const std::uint8_t> head, std::size_t total, bool checksum_good, IpHeader& out);
Verdict parse_ipv6(std::span<const std::uint8_t> head, std::size_t total, IpHeader& out);

}  // namespace sluice::net
