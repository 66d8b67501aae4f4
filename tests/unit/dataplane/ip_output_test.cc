// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dataplane/ip_fixture.h"

namespace sluice::test {
namespace {

using namespace net::wire;
using enum DropReason;

class IpOutputTest : public IpFixture {
 protected:
  Bytes segment(const IpAddr& from, const IpAddr& to, const Bytes& payload = text("hello")) const {
    Bytes s = tcp(from, 80, to, 4000, payload);
    store16(&s[16], 0xdead);  // whatever the sender left there
    return s;
  }
};

TEST_F(IpOutputTest, APacketIsWhatTheStandardBuilderMakes) {
  out(vip4, peer4, kTcp, segment(vip4, peer4));
  const auto sent = answer_arp(peer4, peer);
  ASSERT_EQ(sent.size(), 1u);
  Bytes expected =
      ethernet(peer, mac(1), kEtherIpv4,
               ipv4(vip4, peer4, kTcp, tcp(vip4, 80, peer4, 4000, text("hello")), {.fragment = 0x4000}));
  // The identification is ours to choose.
  std::copy(sent[0].bytes.begin() + 18, sent[0].bytes.begin() + 20, expected.begin() + 18);
  store16(&expected[24], 0);
  store(&expected[24], InternetChecksum().add(std::span(expected).subspan(14, 20)).checksum());
  EXPECT_EQ(sent[0].bytes, expected);
  EXPECT_EQ(sent[0].flags & RTE_MBUF_F_TX_L4_MASK, 0u);
}

TEST_F(IpOutputTest, Ipv6LikewiseAndAVlanTagWhereThePortHasOne) {
  interfaces[0].vlan = 7;
  const auto asked = out(vip6, peer6, kTcp, segment(vip6, peer6));
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(load16(&asked[0].bytes[14]), 7);
  const auto sent =
      in(ethernet(mac(1), peer, kEtherIpv6,
                  ipv6(peer6, own6, kIcmpv6, nd(peer6, own6, 136, 0x60, peer6, 2, peer), 255), 7));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].bytes, ethernet(peer, mac(1), kEtherIpv6,
                                    ipv6(vip6, peer6, kTcp, tcp(vip6, 80, peer6, 4000, text("hello"))), 7));
}

TEST_F(IpOutputTest, TheChecksumIsLeftToAPortThatOffersIt) {
  interfaces[0].tx_ipv4_checksum = interfaces[0].tx_tcp_checksum = true;
  out(vip4, peer4, kTcp, segment(vip4, peer4));
  const auto sent = answer_arp(peer4, peer);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK),
            RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM);
  EXPECT_EQ(load16(&sent[0].bytes[24]), 0);
  std::uint16_t field;
  std::memcpy(&field, &sent[0].bytes[50], 2);
  EXPECT_EQ(field, InternetChecksum().add_pseudo_header(vip4, peer4, kTcp, 25).sum().raw());
}

TEST_F(IpOutputTest, ChainsKeepTheirSegmentsOrBecomeOneWhereThePortTakesNoOthers) {
  const Bytes s = segment(vip4, peer4, Bytes(1001, 'x'));
  out(vip4, peer4, kTcp, s, 333);
  const auto chained = answer_arp(peer4, peer);
  ASSERT_EQ(chained.size(), 1u);
  EXPECT_EQ(chained[0].segments, 4u);
  interfaces[0].tx_multi_segment = false;
  const auto flat = out(vip4, peer4, kTcp, s, 333);
  ASSERT_EQ(flat.size(), 1u);
  EXPECT_EQ(flat[0].segments, 1u);
  EXPECT_EQ(flat[0].from(34), chained[0].from(34));
  EXPECT_TRUE(InternetChecksum()
                  .add_pseudo_header(vip4, peer4, kTcp, static_cast<std::uint32_t>(s.size()))
                  .add(flat[0].from(34))
                  .valid());
}

/// A packet of 2,500 bytes to be cut at 1,000, in buffers of 700: FIN, PSH and CWR, from sequence number 1 on.
class IpSegmentation : public IpOutputTest {
 protected:
  void SetUp() override {
    out(vip4, peer4, kTcp, segment(vip4, peer4));
    answer_arp(peer4, peer);
  }
  std::vector<Sent> send(std::uint16_t cut = 1000) {
    Bytes header = tcp(vip4, 80, peer4, 4000, {});
    header[13] = 0x10 | 0x01 | 0x08 | 0x80;
    store32(&header[4], 0xffffff00);
    net::OutPacket p;
    p.chain = chain_of({reinterpret_cast<const char*>(header.data()), header.size()});
    p.chain.append(chain_of(data, 700));
    p.source = vip4;
    p.destination = peer4;
    p.protocol = kTcp;
    p.tos = 2;
    p.segment_size = cut;
    layer().send({&p, 1}, now);
    return take();
  }
  static std::string pattern() {
    std::string out(2500, ' ');
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>('a' + i % 26);
    return out;
  }
  const std::string data = pattern();
};

TEST_F(IpSegmentation, WithoutAPortThatCutsThePacketIsCutHere) {
  const auto sent = send();
  ASSERT_EQ(sent.size(), 3u);
  std::string got;
  const std::uint8_t flags[] = {0x90, 0x10, 0x19};
  for (std::size_t i = 0; i < 3; ++i) {
    const Bytes ip_packet = sent[i].from(14), tcp_segment = sent[i].from(34);
    EXPECT_EQ(load16(&ip_packet[2]), ip_packet.size());
    EXPECT_EQ(ip_packet[1], 2) << "the codepoint of each";
    EXPECT_TRUE(InternetChecksum().add(std::span(ip_packet).first(20)).valid());
    EXPECT_EQ(load32(&tcp_segment[4]), static_cast<std::uint32_t>(0xffffff00 + 1000 * i));
    EXPECT_EQ(tcp_segment[13], flags[i]) << i;
    EXPECT_TRUE(InternetChecksum()
                    .add_pseudo_header(vip4, peer4, kTcp, static_cast<std::uint32_t>(tcp_segment.size()))
                    .add(tcp_segment)
                    .valid());
    got.append(tcp_segment.begin() + 20, tcp_segment.end());
  }
  EXPECT_EQ(got, data);
  EXPECT_EQ(load16(&sent[1].bytes[18]), load16(&sent[0].bytes[18]) + 1) << "IP identification";
}

TEST_F(IpSegmentation, APortThatCutsGetsItWholeAndIsToldHow) {
  interfaces[0].tx_ipv4_checksum = interfaces[0].tx_tcp_checksum = true;
  interfaces[0].tx_tcp_segmentation = 5;
  const auto sent = send();
  ASSERT_EQ(sent.size(), 1u);
  constexpr std::uint64_t kAll =
      RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TCP_SEG;
  EXPECT_EQ(sent[0].flags & kAll, kAll);
  EXPECT_EQ(sent[0].cut, 1000);
  EXPECT_EQ(sent[0].l4_size, 20);
  EXPECT_EQ(sent[0].bytes.size(), 54 + data.size());
  std::uint16_t field;
  std::memcpy(&field, &sent[0].bytes[50], 2);
  EXPECT_EQ(field, InternetChecksum().add_pseudo_header(vip4, peer4, kTcp, 0).sum().raw());
}

TEST_F(IpSegmentation, WhatHasMoreBuffersThanThePortTakesIsCutHere) {
  interfaces[0].tx_tcp_checksum = true;
  interfaces[0].tx_tcp_segmentation = 4;
  const auto sent = send();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].flags & RTE_MBUF_F_TX_TCP_SEG, 0u);
}

TEST_F(IpSegmentation, ItsSegmentsAreHeldToTheMtu) {
  EXPECT_EQ(send(1460).size(), 2u);
  EXPECT_EQ(send(1461).size(), 0u);
  EXPECT_EQ(dropped(kTooBig), 1u);
}

TEST_F(IpSegmentation, WhereMemoryEndsTheRestIsDroppedAndCounted) {
  std::vector<Buf> all;
  const auto take_all_but = [&](std::size_t left) {
    while (Buf b = buffers().alloc()) all.push_back(std::move(b));
    all.resize(all.size() - left);
  };
  take_all_but(1 + 4 + 1);  // the packet's own, of which the header is free by then, and one
  EXPECT_EQ(send().size(), 2u);
  EXPECT_EQ(dropped(kNoMemory), 1u);
}

TEST_F(IpOutputTest, WhatCannotBeSentIsCountedAndFreed) {
  layer();
  out(own4, ip("224.0.0.1"), kTcp, segment(own4, peer4));
  EXPECT_EQ(dropped(kIpBadAddress), 1u);
  out(own6, ip("2001:db8::1"), kTcp, segment(own6, peer6));
  EXPECT_EQ(dropped(kNoRoute), 1u);
  out(own4, peer4, kTcp, segment(own4, peer4, Bytes(1461)));
  EXPECT_EQ(dropped(kTooBig), 1u);
  out(own4, vip4, kTcp, segment(own4, vip4));
  EXPECT_EQ(dropped(kNoRoute), 2u) << "ourselves, by the wire";
  up[0] = false;
  out(own4, peer4, kTcp, segment(own4, peer4));
  EXPECT_EQ(dropped(kLinkDown), 1u);
  EXPECT_EQ(dropped_total(), 5u);
}

TEST_F(IpOutputTest, TheLongestPrefixAndItsGatewayDecide) {
  const auto via_gateway = out(own4, ip("192.0.2.1"), kTcp, segment(own4, ip("192.0.2.1")));
  ASSERT_EQ(via_gateway.size(), 1u);
  EXPECT_EQ(via_gateway[0].port, 0u);
  EXPECT_EQ(via_gateway[0].from(14), arp(1, mac(1), own4, {}, ip("10.0.0.254")));
  const auto direct = out(ip("10.1.0.1"), ip("10.1.0.9"), kTcp, segment(ip("10.1.0.1"), ip("10.1.0.9")));
  ASSERT_EQ(direct.size(), 1u);
  EXPECT_EQ(direct[0].port, 1u);
}

TEST_F(IpOutputTest, TheSourceIsTheRoutesAndTheMtuTheInterfaces) {
  interfaces[1].mtu = 1400;
  EXPECT_EQ(layer().source_for(ip("192.0.2.1")), own4);
  EXPECT_EQ(layer().source_for(ip("10.1.0.7")), ip("10.1.0.1"));
  EXPECT_EQ(layer().source_for(peer6), own6);
  EXPECT_EQ(layer().source_for(ip("2001:db8::1")), std::nullopt);
  EXPECT_EQ(layer().mtu(ip("10.1.0.7")), 1400);
  EXPECT_EQ(layer().mtu(peer4), 1500);
  EXPECT_EQ(layer().mtu(ip("2001:db8::1")), 0);
}

TEST(RouteTable, RefusesAGatewayThatNoPortReaches) {
  std::vector<net::Interface> interfaces(1);
  interfaces[0].addresses = {*IpPrefix::parse("10.0.0.1/24")};
  const net::StaticRoute away[] = {{*IpPrefix::parse("0.0.0.0/0"), ip("10.9.0.1")}};
  const auto r = net::RouteTable::make(interfaces, away);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("10.9.0.1"), std::string::npos);
  const net::StaticRoute mixed[] = {{*IpPrefix::parse("::/0"), ip("10.0.0.2")}};
  EXPECT_FALSE(net::RouteTable::make(interfaces, mixed));
}

TEST(RouteTable, NeedsThePortOfALinkLocalGatewayWhereThereAreSeveral) {
  std::vector<net::Interface> interfaces(2);
  interfaces[0].addresses = {*IpPrefix::parse("2001:db8:1::1/64")};
  interfaces[1].addresses = {*IpPrefix::parse("2001:db8:2::1/64")};
  net::StaticRoute route{*IpPrefix::parse("::/0"), ip("fe80::1"), {}};
  const auto refused = net::RouteTable::make(interfaces, {&route, 1});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("the port is not named"), std::string::npos);
  route.port = PortId{1};
  const auto named = net::RouteTable::make(interfaces, {&route, 1});
  ASSERT_TRUE(named);
  EXPECT_EQ(named->lookup(ip("2001:db8:9::1"))->port, PortId{1});
  EXPECT_EQ(named->lookup(ip("2001:db8:9::1"))->address, ip("fe80::1"));
  interfaces.pop_back();
  route.port.reset();
  EXPECT_TRUE(net::RouteTable::make(interfaces, {&route, 1})) << "one port, one link";
}

TEST(RouteTable, TakesAGatewayOnTheNamedPortOnly) {
  std::vector<net::Interface> interfaces(2);
  interfaces[0].addresses = {*IpPrefix::parse("10.0.0.1/24")};
  interfaces[1].addresses = {*IpPrefix::parse("10.0.1.1/24")};
  net::StaticRoute route{*IpPrefix::parse("0.0.0.0/0"), ip("10.0.1.2"), PortId{0}};
  EXPECT_FALSE(net::RouteTable::make(interfaces, {&route, 1}));
  route.port = PortId{1};
  EXPECT_TRUE(net::RouteTable::make(interfaces, {&route, 1}));
}

TEST(RouteTable, PrefersTheLongerPrefixWhateverTheOrder) {
  std::vector<net::Interface> interfaces(2);
  interfaces[0].addresses = {*IpPrefix::parse("10.0.0.1/24")};
  interfaces[1].addresses = {*IpPrefix::parse("10.1.0.1/24")};
  const net::StaticRoute routes[] = {{*IpPrefix::parse("0.0.0.0/0"), ip("10.0.0.2")},
                                     {*IpPrefix::parse("192.0.2.0/24"), ip("10.1.0.2")},
                                     {*IpPrefix::parse("192.0.2.128/25"), ip("10.0.0.3")}};
  const auto table = net::RouteTable::make(interfaces, routes);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->lookup(ip("192.0.2.1"))->address, ip("10.1.0.2"));
  EXPECT_EQ(table->lookup(ip("192.0.2.200"))->address, ip("10.0.0.3"));
  EXPECT_EQ(table->lookup(ip("8.8.8.8"))->address, ip("10.0.0.2"));
  EXPECT_EQ(table->lookup(ip("10.1.0.77"))->address, ip("10.1.0.77"));
  EXPECT_FALSE(table->lookup(ip("fe80::1")));
}

}  // namespace
}  // namespace sluice::test
