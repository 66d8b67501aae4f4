// SPDX-License-Identifier: Apache-2.0
// One row a way to be wrong: a good frame, what spoils it, and the one reason under which it must be counted.
#include <functional>

#include "tests/unit/dataplane/ip_fixture.h"

namespace sluice::test {
namespace {

using namespace net::wire;
using enum DropReason;

class IpInput : public IpFixture {
 protected:
  Bytes tcp4(const Bytes& payload = text("hello")) const {
    return ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, tcp(peer4, 4000, vip4, 80, payload)));
  }
  Bytes tcp6(const Bytes& payload = text("hello")) const {
    return ethernet(mac(1), peer, kEtherIpv6, ipv6(peer6, vip6, kTcp, tcp(peer6, 4000, vip6, 80, payload)));
  }
  /// TCP behind extension headers; each is given with its first byte (next header) 0.
  Bytes tcp6_behind(std::initializer_list<std::pair<std::uint8_t, Bytes>> headers,
                    std::uint8_t last = kTcp) const {
    Bytes payload;
    std::uint8_t first = last;
    std::uint8_t* next = &first;
    std::vector<std::pair<std::uint8_t, Bytes>> list(headers);
    for (auto& [type, bytes] : list) {
      *next = type;
      next = &bytes[0];
      *next = last;
    }
    for (auto& [type, bytes] : list) payload = payload + bytes;
    return ethernet(mac(1), peer, kEtherIpv6, ipv6(peer6, vip6, first, payload + tcp(peer6, 4000, vip6, 80)));
  }
};

TEST_F(IpInput, AGoodTcpSegmentOfEitherFamilyGoesUpParsed) {
  in(tcp4());
  in(tcp6());
  ASSERT_EQ(received.packets.size(), 2u);
  EXPECT_EQ(received.packets[0].flow, (FlowKey{{vip4, 80}, {peer4, 4000}}));
  EXPECT_EQ(received.packets[1].flow, (FlowKey{{vip6, 80}, {peer6, 4000}}));
  for (const net::Packet& p : received.packets) {
    EXPECT_EQ(p.header_len, 20);
    EXPECT_EQ(p.payload_len(), 5u);
    EXPECT_EQ(p.ttl, 64);
    EXPECT_EQ(p.chain.to_string().substr(20), "hello");
  }
  EXPECT_EQ(dropped_total(), 0u);
}

TEST_F(IpInput, LinkPaddingIsCutOff) {
  in(tcp4() + Bytes(30, 0xee));
  in(tcp6() + Bytes(30, 0xee), 0, 76);
  ASSERT_EQ(received.packets.size(), 2u);
  EXPECT_EQ(received.packets[0].payload_len(), 5u);
  EXPECT_EQ(received.packets[1].chain.to_string().substr(20), "hello");
}

TEST_F(IpInput, SegmentedFramesArePutTogetherByTheirHeadersInTheFirst) {
  in(tcp4(Bytes(1000, 'x')), 0, 100);
  ASSERT_EQ(received.packets.size(), 1u);
  EXPECT_EQ(received.packets[0].payload_len(), 1000u);
  EXPECT_GT(received.packets[0].chain.segments(), 5u);
}

TEST_F(IpInput, EachSpoiledFrameIsCountedUnderItsOneReason) {
  const auto with = [](Bytes b, std::size_t at, std::uint8_t value) {
    b[at] = value;
    return b;
  };
  const auto resum4 = [](Bytes b) {  // the IPv4 header's checksum
    store16(&b[24], 0);
    store(&b[24], InternetChecksum().add(std::span(b).subspan(14, (b[14] & 15u) * 4u)).checksum());
    return b;
  };
  const auto cut = [](Bytes b, std::size_t n) {
    b.resize(n);
    return b;
  };
  const auto from4 = [&](std::string_view a) {
    return ethernet(mac(1), peer, kEtherIpv4, ipv4(ip(a), vip4, kTcp, tcp(ip(a), 1, vip4, 80)));
  };
  const auto from6 = [&](std::string_view a) {
    return ethernet(mac(1), peer, kEtherIpv6, ipv6(ip(a), vip6, kTcp, tcp(ip(a), 1, vip6, 80)));
  };
  const auto fragment = [&](std::uint16_t bits) {
    return ethernet(mac(1), peer, kEtherIpv4,
                    ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80), {.fragment = bits}));
  };
  const auto options = [&](Bytes o) {
    return ethernet(mac(1), peer, kEtherIpv4,
                    ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80), {.options = std::move(o)}));
  };
  const Bytes t4 = tcp4(), t6 = tcp6();
  Bytes mapped = t6;
  std::memcpy(&mapped[22], IpAddr::v4(0x0a000007).bytes().data(), 16);
  const struct {
    const char* what;
    Bytes frame;
    DropReason reason;
  } rows[] = {
      {"a runt", cut(t4, 13), kFrameTooShort},
      {"an Ethernet header and nothing", cut(t4, 14), kFrameTooShort},
      {"another ethertype", with(t4, 13, 0x42), kEthertypeUnknown},
      {"another MAC address", with(t4, 5, 9), kNotForOurMac},
      {"a VLAN tag that is not ours", ethernet(mac(1), peer, kEtherIpv4, Bytes(40), 7), kVlanUnknown},
      {"a truncated VLAN tag", cut(ethernet(mac(1), peer, kEtherIpv4, Bytes(40), 7), 16), kFrameTooShort},
      {"IPv4: truncated header", cut(t4, 30), kIpMalformed},
      {"IPv4: version 5", resum4(with(t4, 14, 0x55)), kIpMalformed},
      {"IPv4: header length 16", with(t4, 14, 0x44), kIpMalformed},
      {"IPv4: header longer than the packet", with(t4, 14, 0x4f), kIpMalformed},
      {"IPv4: total length beyond the frame", resum4(with(t4, 16, 0x10)), kIpMalformed},
      {"IPv4: total length within the header", resum4(with(with(t4, 16, 0), 17, 19)), kIpMalformed},
      {"IPv4: header checksum", with(t4, 24, static_cast<std::uint8_t>(t4[24] ^ 1)), kIpChecksum},
      {"IPv4: first fragment", fragment(0x2000), kIpFragment},
      {"IPv4: later fragment", fragment(0x0001), kIpFragment},
      {"IPv4: loose source route", options({131, 3, 4, 0}), kIpMalformed},
      {"IPv4: option longer than the header", options({7, 9, 0, 0}), kIpMalformed},
      {"IPv4: from 0.0.0.0", from4("0.0.0.0"), kIpBadAddress},
      {"IPv4: from a group", from4("224.0.0.5"), kIpBadAddress},
      {"IPv4: from broadcast", from4("255.255.255.255"), kIpBadAddress},
      {"IPv4: from loopback", from4("127.0.0.1"), kIpBadAddress},
      {"IPv4: from the destination itself (land)", from4("10.0.0.100"), kIpBadAddress},
      {"IPv4: unicast in a broadcast frame",
       ethernet(kBroadcastMac, peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80))),
       kIpBadAddress},
      {"IPv4: to somebody else",
       ethernet(mac(1), peer, kEtherIpv4,
                ipv4(peer4, ip("10.0.0.50"), kTcp, tcp(peer4, 1, ip("10.0.0.50"), 80))),
       kIpNotLocal},
      {"IPv6: truncated header", cut(t6, 50), kIpMalformed},
      {"IPv6: version 4", with(t6, 14, 0x40), kIpMalformed},
      {"IPv6: payload beyond the frame", with(t6, 18, 0x10), kIpMalformed},
      {"IPv6: from a mapped address", mapped, kIpBadAddress},
      {"IPv6: from ::", from6("::"), kIpBadAddress},
      {"IPv6: from ::1", from6("::1"), kIpBadAddress},
      {"IPv6: from a group", from6("ff02::1"), kIpBadAddress},
      {"IPv6: fragment", tcp6_behind({{kFragment, {0, 0, 0, 1, 0, 0, 0, 9}}}), kIpFragment},
      {"IPv6: routing header with segments left", tcp6_behind({{kRouting, {0, 0, 0, 1, 0, 0, 0, 0}}}),
       kIpv6ExtensionHeader},
      {"IPv6: option that forbids processing",
       tcp6_behind({{kDestinationOptions, {0, 0, 0x7e, 4, 0, 0, 0, 0}}}), kIpv6ExtensionHeader},
      {"IPv6: option beyond its header", tcp6_behind({{kDestinationOptions, {0, 0, 1, 9, 0, 0, 0, 0}}}),
       kIpv6ExtensionHeader},
      {"IPv6: hop-by-hop in second place",
       tcp6_behind({{kDestinationOptions, {0, 0, 1, 4, 0, 0, 0, 0}}, {kHopByHop, {0, 0, 1, 4, 0, 0, 0, 0}}}),
       kIpv6ExtensionHeader},
      {"IPv6: extension header beyond the packet",
       ethernet(mac(1), peer, kEtherIpv6, ipv6(peer6, vip6, kHopByHop, {kTcp, 9, 1, 4, 0, 0, 0, 0})),
       kIpv6ExtensionHeader},
      {"TCP: truncated", ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, Bytes(19))),
       kTcpMalformed},
      {"TCP: nothing", ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, {})), kTcpMalformed},
      {"TCP: data offset 4", with(t4, 46, 0x40), kTcpMalformed},
      {"TCP: data offset beyond the segment", with(t4, 46, 0xf0), kTcpMalformed},
      {"TCP: checksum", with(t4, 58, 'X'), kTcpChecksum},
      {"TCP over IPv6: checksum", with(t6, 78, 'X'), kTcpChecksum},
      {"UDP: truncated", ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kUdp, Bytes(7))),
       kUdpMalformed},
      {"UDP: length beyond the packet",
       ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kUdp, {0, 1, 0, 2, 0, 99, 0, 0})), kUdpMalformed},
      {"ICMP: truncated", ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kIcmp, Bytes(7))),
       kIcmpMalformed},
      {"ICMP: checksum",
       ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kIcmp, {8, 0, 1, 2, 0, 0, 0, 0})), kIcmpChecksum},
      {"ICMP: a type that nobody asked for",
       ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kIcmp, icmp(peer4, vip4, 5, 0, 0))),
       kIcmpIgnored},
      {"ICMPv6: router advertisement",
       ethernet(multicast_mac(all_nodes()), peer, kEtherIpv6,
                ipv6(ip("fe80::7"), all_nodes(), kIcmpv6,
                     icmp(ip("fe80::7"), all_nodes(), 134, 0, 0, Bytes(8)), 255)),
       kIcmpIgnored},
      {"ARP: truncated", ethernet(mac(1), peer, kEtherArp, Bytes(27)), kArpMalformed},
      {"ARP: hardware type", ethernet(mac(1), peer, kEtherArp, with(arp(1, peer, peer4, {}, own4), 1, 9)),
       kArpMalformed},
  };
  for (const auto& row : rows) {
    const std::uint64_t before = dropped(row.reason), all = dropped_total();
    in(row.frame);
    EXPECT_EQ(dropped(row.reason), before + 1) << row.what;
    EXPECT_EQ(dropped_total(), all + 1) << row.what;
    EXPECT_TRUE(received.packets.empty()) << row.what;
    received.clear();
  }
}

TEST_F(IpInput, HeadersThatMayBeSkippedAreSkipped) {
  const Bytes frames[] = {
      ethernet(mac(1), peer, kEtherIpv4,
               ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80), {.options = {1, 148, 4, 0, 0, 0, 0, 0}})),
      tcp6_behind({{kHopByHop, {0, 0, 5, 2, 0, 0, 1, 0}}, {kDestinationOptions, {0, 0, 1, 4, 0, 0, 0, 0}}}),
      tcp6_behind({{kRouting, {0, 0, 0, 0, 0, 0, 0, 0}}}),
      tcp6_behind({{kFragment, {0, 0, 0, 0, 0, 0, 0, 9}}}),  // atomic fragment, RFC 6946
      ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80)),
               0),  // priority tag
      ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80), {.ttl = 0})),
  };
  for (const Bytes& f : frames) in(f);
  EXPECT_EQ(received.packets.size(), std::size(frames));
  EXPECT_EQ(dropped_total(), 0u);
}

TEST_F(IpInput, AChecksumThatAKernelPeerHasOnlyBegunIsAcceptedWhereThePortSaysSo) {
  Bytes f = tcp4();
  const std::uint16_t partial = InternetChecksum().add_pseudo_header(peer4, vip4, kTcp, 25).sum().raw();
  std::memcpy(&f[50], &partial, 2);
  in(f);
  EXPECT_EQ(dropped(kTcpChecksum), 1u);
  interfaces[0].accept_partial_checksum = true;
  in(f);
  ASSERT_EQ(received.packets.size(), 1u);
  f[51] ^= 1;
  in(f);
  EXPECT_EQ(dropped(kTcpChecksum), 2u);
}

TEST_F(IpInput, AChecksumThatThePortCallsBegunIsAcceptedAndAllOthersOfThatPortAreChecked) {
  Bytes f = tcp4();
  const std::uint16_t partial = InternetChecksum().add_pseudo_header(peer4, vip4, kTcp, 25).sum().raw();
  std::memcpy(&f[50], &partial, 2);
  rte_mbuf* m = frame(f);
  m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  in(m);
  EXPECT_EQ(received.packets.size(), 1u);
  in(f);
  EXPECT_EQ(received.packets.size(), 1u);
  EXPECT_EQ(dropped(kTcpChecksum), 1u);
}

TEST_F(IpInput, ANicsVerdictIsTakenWhenGoodAndCheckedWhenBad) {
  Bytes bad = tcp4();
  bad[58] = 'X';
  rte_mbuf* m = frame(bad);
  m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  in(m);
  EXPECT_EQ(received.packets.size(), 1u);
  m = frame(tcp4());
  m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD;
  in(m);
  EXPECT_EQ(received.packets.size(), 2u);
}

TEST_F(IpInput, ATaggedPortTakesItsVlanOnlyInTheFrameOrStripped) {
  interfaces[0].vlan = 7;
  const Bytes packet = ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80));
  in(ethernet(mac(1), peer, kEtherIpv4, packet, 0x2007));  // with a priority
  EXPECT_EQ(received.packets.size(), 1u);
  in(ethernet(mac(1), peer, kEtherIpv4, packet));
  in(ethernet(mac(1), peer, kEtherIpv4, packet, 8));
  EXPECT_EQ(dropped(kVlanUnknown), 2u);
  rte_mbuf* m = frame(ethernet(mac(1), peer, kEtherIpv4, packet));
  m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
  m->vlan_tci = 7;
  in(m);
  EXPECT_EQ(received.packets.size(), 2u);
}

TEST_F(IpInput, AnyPrefixAndAnyFlippedByteOfAFrameIsHandledAndLeaksNothing) {
  for (const Bytes& good : {tcp4(), tcp6(), tcp6_behind({{kHopByHop, {0, 0, 5, 2, 0, 0, 1, 0}}})}) {
    for (std::size_t n = 1; n < good.size(); ++n)
      in(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)));
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const std::uint8_t flip : {0x01, 0x80, 0xff}) {
        Bytes f = good;
        f[at] ^= flip;
        in(f);
        in(f, 0, 60);
      }
    }
    received.clear();
  }
}

}  // namespace
}  // namespace sluice::test
