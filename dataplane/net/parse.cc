// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/parse.h"

#include "dataplane/base/checksum.h"
#include "dataplane/net/wire.h"

namespace sluice::net {
namespace {

using enum DropReason;
using namespace wire;

constexpr unsigned kMaxExtensionHeaders = 8;

bool bad_ipv4_source(const IpAddr& a) {
  return a.is_unspecified() || a.is_multicast() || a.is_loopback() || a.v4_value() >= 0xf0000000u;
}

/// RFC 791, 3.1 and RFC 1122, 3.2.1.8: options are skipped, but a packet that is to be source-routed further
/// is not for us, and a length that leads nowhere is malformed.
bool acceptable_options(std::span<const std::uint8_t> options) {
  constexpr std::uint8_t kEnd = 0, kNop = 1, kLooseRoute = 131, kStrictRoute = 137;
  while (!options.empty()) {
    const std::uint8_t type = options[0];
    if (type == kEnd) return true;
    if (type == kLooseRoute || type == kStrictRoute) return false;
    std::size_t size = 1;
    if (type != kNop) {
      if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return false;
      size = options[1];
    }
    options = options.subspan(size);
  }
  return true;
}

/// RFC 8200, 4.2: the two high bits of a type that is not known say whether the packet may be processed.
bool acceptable_tlvs(std::span<const std::uint8_t> tlvs) {
  constexpr std::uint8_t kPad1 = 0;
  while (!tlvs.empty()) {
    if (tlvs[0] == kPad1) {
      tlvs = tlvs.subspan(1);
      continue;
    }
    if (tlvs.size() < 2 || tlvs[1] + 2u > tlvs.size() || tlvs[0] >> 6 != 0) return false;
    tlvs = tlvs.subspan(tlvs[1] + 2u);
  }
  return true;
}

}  // namespace

Verdict parse_link(std::span<const std::uint8_t> frame, const Interface& itf,
                   std::optional<std::uint16_t> stripped_vlan, LinkHeader& out) {
  if (frame.size() < kEthernetHeader) return kFrameTooShort;
  out.destination = load_mac(&frame[0]);
  out.source = load_mac(&frame[6]);
  out.ethertype = load16(&frame[12]);
  out.size = kEthernetHeader;
  out.group = is_group(out.destination);

  std::uint16_t vlan = stripped_vlan.value_or(0) & 0x0fff;
  if (!stripped_vlan && out.ethertype == kEtherVlan) {
    if (frame.size() < kEthernetHeader + kVlanTag) return kFrameTooShort;
    vlan = load16(&frame[14]) & 0x0fff;
    out.ethertype = load16(&frame[16]);
    out.size = kEthernetHeader + kVlanTag;
  }
  // A priority tag (id 0, IEEE 802.1Q 6.9) counts as untagged.
  if (vlan != itf.vlan) return kVlanUnknown;
  if (!out.group && out.destination != itf.mac) return kNotForOurMac;
  return std::nullopt;
}

Verdict parse_ipv4(std::span<const std::uint8_t> head, std::size_t total, bool checksum_good, IpHeader& out) {
  if (head.size() < kIpv4Header || head[0] >> 4 != 4) return kIpMalformed;
  const std::size_t header = (head[0] & 0x0fu) * 4u;
  const std::size_t length = load16(&head[2]);
  if (header < kIpv4Header || header > head.size() || length < header || length > total) return kIpMalformed;
  if (!checksum_good && !InternetChecksum().add(head.first(header)).valid()) return kIpChecksum;
  if (!acceptable_options(head.subspan(kIpv4Header, header - kIpv4Header))) return kIpMalformed;
  // More Fragments or an offset: no reassembly.
  if ((load16(&head[6]) & 0x3fff) != 0) return kIpFragment;

  out.source = IpAddr::v4_bytes(&head[12]);
  out.destination = IpAddr::v4_bytes(&head[16]);
  if (bad_ipv4_source(out.source)) return kIpBadAddress;
  out.header_size = static_cast<std::uint16_t>(header);
  out.payload_size = static_cast<std::uint16_t>(length - header);
  out.protocol = head[9];
  out.tos = head[1];
  // A low TTL is no reason to refuse what has arrived (RFC 1122, 3.2.1.7).
  out.ttl = head[8];
  return std::nullopt;
}

Verdict parse_ipv6(std::span<const std::uint8_t> head, std::size_t total, IpHeader& out) {
  if (head.size() < kIpv6Header || head[0] >> 4 != 6) return kIpMalformed;
  const std::size_t length = kIpv6Header + load16(&head[4]);
  if (length > total) return kIpMalformed;
  head = head.first(std::min(head.size(), length));

  out.source = IpAddr::v6_bytes(&head[8]);
  out.destination = IpAddr::v6_bytes(&head[24]);
  // Mapped addresses do not belong on the wire (RFC 4942, 2.2), and here they would pass for IPv4.
  if (out.source.is_v4() || out.destination.is_v4() || out.source.is_multicast() ||
      out.source.is_loopback() || out.destination.is_loopback() || out.destination.is_unspecified()) {
    return kIpBadAddress;
  }

  std::size_t at = kIpv6Header;
  std::size_t pointer = 6;
  std::uint8_t next = head[6];
  for (unsigned n = 0;
       next == kHopByHop || next == kRouting || next == kFragment || next == kDestinationOptions; ++n) {
    if (n == kMaxExtensionHeaders) return kIpv6ExtensionHeader;
    if (head.size() < at + 8) return kIpv6ExtensionHeader;
    const std::size_t size = next == kFragment ? 8 : (head[at + 1] + 1u) * 8;
    if (head.size() < at + size) return kIpv6ExtensionHeader;
    // Hop-by-hop comes first or not at all (RFC 8200, 4.1).
    if (next == kHopByHop && at != kIpv6Header) return kIpv6ExtensionHeader;
    if ((next == kHopByHop || next == kDestinationOptions) &&
        !acceptable_tlvs(head.subspan(at + 2, size - 2))) {
      return kIpv6ExtensionHeader;
    }
    // A routing header with segments left asks us to forward (RFC 8200, 4.4; RFC 5095).
    if (next == kRouting && head[at + 3] != 0) return kIpv6ExtensionHeader;
    // An atomic fragment is a whole packet (RFC 6946); others are not reassembled.
    if (next == kFragment && (load16(&head[at + 2]) & 0xfff9) != 0) return kIpFragment;
    pointer = at;
    next = head[at];
    at += size;
  }
  out.header_size = static_cast<std::uint16_t>(at);
  out.payload_size = static_cast<std::uint16_t>(length - at);
  out.protocol = next;
  out.protocol_pointer = static_cast<std::uint16_t>(pointer);
  out.tos = static_cast<std::uint8_t>(load16(&head[0]) >> 4);
  out.ttl = head[7];
  return std::nullopt;
}

}  // namespace sluice::net
