// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dataplane/ip_fixture.h"

namespace sluice::test {
namespace {

using namespace net::wire;
using enum DropReason;
using Kind = net::IcmpError::Kind;

class Icmp : public IpFixture {
 protected:
  /// A peer that we know, so that answers go out at once.
  void know_peer() {
    in(ethernet(kBroadcastMac, peer, kEtherArp, arp(1, peer, peer4, {}, own4)));
    in(ethernet(mac(1), peer, kEtherIpv6,
                ipv6(peer6, own6, kIcmpv6, nd(peer6, own6, 135, 0, own6, 1, peer), 255)));
  }
  std::vector<Sent> in4(const IpAddr& to, std::uint8_t protocol, const Bytes& payload) {
    return without_probes(in(ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, to, protocol, payload))));
  }
  std::vector<Sent> in6(const IpAddr& to, std::uint8_t protocol, const Bytes& payload) {
    return without_probes(in(ethernet(mac(1), peer, kEtherIpv6, ipv6(peer6, to, protocol, payload))));
  }
  static std::vector<Sent> without_probes(std::vector<Sent> sent) {
    std::erase_if(sent, [](const Sent& s) {
      return s.type() == kEtherArp || (s.type() == kEtherIpv6 && s.bytes[54] == 135);
    });
    return sent;
  }
};

TEST_F(Icmp, EchoIsAnsweredForOwnAddressesAndVipsFromTheAddressAsked) {
  know_peer();
  for (const IpAddr& a : {own4, vip4, ip("10.1.0.1")}) {
    const auto sent = in4(a, kIcmp, icmp(peer4, a, 8, 0, 0x00120034, text("abcdefg")));
    ASSERT_EQ(sent.size(), 1u) << a.to_string();
    EXPECT_EQ(sent[0].from(34), icmp(a, peer4, 0, 0, 0x00120034, text("abcdefg")));
    EXPECT_EQ(IpAddr::v4_bytes(&sent[0].bytes[26]), a);
    EXPECT_EQ(IpAddr::v4_bytes(&sent[0].bytes[30]), peer4);
  }
  for (const IpAddr& a : {own6, vip6}) {
    const auto sent = in6(a, kIcmpv6, icmp(peer6, a, 128, 0, 0x00120034, text("abcdefg")));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes,
              ethernet(peer, mac(1), kEtherIpv6,
                       ipv6(a, peer6, kIcmpv6, icmp(a, peer6, 129, 0, 0x00120034, text("abcdefg")))));
  }
}

TEST_F(Icmp, EchoFromALinkLocalPeerGoesBackOnItsLink) {
  const IpAddr other = ip("fe80::7"), self = ip("fe80::ff:fe00:1");
  in(ethernet(mac(1), peer, kEtherIpv6,
              ipv6(other, self, kIcmpv6, nd(other, self, 135, 0, self, 1, peer), 255)));
  const auto sent = without_probes(
      in(ethernet(mac(1), peer, kEtherIpv6, ipv6(other, self, kIcmpv6, icmp(other, self, 128, 0, 1)))));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].port, 0u);
}

TEST_F(Icmp, EchoToAGroupIsNotAnswered) {
  const IpAddr all = all_nodes();
  EXPECT_TRUE(in(ethernet(multicast_mac(all), peer, kEtherIpv6,
                          ipv6(peer6, all, kIcmpv6, icmp(peer6, all, 128, 0, 1))))
                  .empty());
  EXPECT_EQ(dropped(kIcmpIgnored), 1u);
  EXPECT_TRUE(in(ethernet(kBroadcastMac, peer, kEtherIpv4,
                          ipv4(peer4, ip("10.0.0.255"), kIcmp, icmp(peer4, ip("10.0.0.255"), 8, 0, 1))))
                  .empty());
}

TEST_F(Icmp, UdpAndUnknownProtocolsAreToldSoWithAQuote) {
  know_peer();
  const Bytes u4 = ipv4(peer4, vip4, kUdp, udp(peer4, 99, vip4, 53, text("query")));
  auto sent = without_probes(in(ethernet(mac(1), peer, kEtherIpv4, u4)));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].from(34), icmp(vip4, peer4, 3, 3, 0, u4));
  const Bytes u6 = ipv6(peer6, vip6, kUdp, udp(peer6, 99, vip6, 53, text("query")));
  sent = without_probes(in(ethernet(mac(1), peer, kEtherIpv6, u6)));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].from(54), icmp(vip6, peer6, 1, 4, 0, u6));
  const Bytes p4 = ipv4(peer4, vip4, 132, Bytes(12));
  sent = without_probes(in(ethernet(mac(1), peer, kEtherIpv4, p4)));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].from(34), icmp(vip4, peer4, 3, 2, 0, p4));
  const Bytes p6 = ipv6(peer6, vip6, 132, Bytes(12));
  sent = without_probes(in(ethernet(mac(1), peer, kEtherIpv6, p6)));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].from(54), icmp(vip6, peer6, 4, 1, 6, p6));
  EXPECT_EQ(dropped(kUdpNoListener), 2u);
  EXPECT_EQ(dropped(kIpProtocolUnknown), 2u);
}

TEST_F(Icmp, AQuoteIsBoundedAsTheStandardsSay) {
  know_peer();
  auto sent = in4(vip4, 132, Bytes(1400));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].bytes.size(), 14u + 576u);
  sent = in6(vip6, 132, Bytes(1400));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].bytes.size(), 14u + 1280u);
}

TEST_F(Icmp, ErrorsThatWeSendAreRateLimited) {
  know_peer();
  std::size_t sent = 0;
  for (int i = 0; i < 500; ++i) sent += in4(vip4, 132, Bytes(12)).size();
  EXPECT_EQ(sent, net::IpLayer::kErrorsPerSecond);
  EXPECT_EQ(dropped(kIcmpRateLimited), 400u);
  now += 500ms;
  for (int i = 0; i < 500; ++i) sent += in4(vip4, 132, Bytes(12)).size();
  EXPECT_EQ(sent, net::IpLayer::kErrorsPerSecond * 3 / 2);
}

TEST_F(Icmp, ErrorsAboutOurFlowsGoUpWithTheFlowAsSeenFromHere) {
  const Bytes quoted4 = ipv4(own4, peer4, kTcp, tcp(own4, 20000, peer4, 80));
  const Bytes quoted6 = ipv6(own6, peer6, kTcp, tcp(own6, 20000, peer6, 80));
  const struct {
    bool v6;
    std::uint8_t type, code;
    std::uint32_t rest;
    Kind kind;
    std::uint16_t mtu;
  } rows[] = {
      {false, 3, 1, 0, Kind::kUnreachable, 0},    {false, 3, 3, 0, Kind::kPortUnreachable, 0},
      {false, 3, 4, 1400, Kind::kTooBig, 1400},   {false, 3, 4, 0, Kind::kTooBig, 68},
      {false, 11, 0, 0, Kind::kTimeExceeded, 0},  {true, 1, 0, 0, Kind::kUnreachable, 0},
      {true, 1, 4, 0, Kind::kPortUnreachable, 0}, {true, 2, 0, 1300, Kind::kTooBig, 1300},
      {true, 3, 0, 0, Kind::kTimeExceeded, 0},
  };
  for (const auto& r : rows) {
    received.clear();
    if (r.v6)
      in6(own6, kIcmpv6, icmp(peer6, own6, r.type, r.code, r.rest, quoted6));
    else
      in4(own4, kIcmp, icmp(peer4, own4, r.type, r.code, r.rest, quoted4));
    ASSERT_EQ(received.errors.size(), 1u) << int{r.type} << '/' << int{r.code};
    const net::IcmpError& e = received.errors[0];
    EXPECT_EQ(e.kind, r.kind);
    EXPECT_EQ(e.mtu, r.mtu);
    EXPECT_EQ(e.tcp_seq, 0x01020304u);
    EXPECT_EQ(e.flow, r.v6 ? (FlowKey{{own6, 20000}, {peer6, 80}}) : (FlowKey{{own4, 20000}, {peer4, 80}}));
  }
}

TEST_F(Icmp, ErrorsThatQuoteNothingOfOursGoNoFurther) {
  const auto error = [&](const Bytes& quoted) { in4(own4, kIcmp, icmp(peer4, own4, 3, 1, 0, quoted)); };
  error(ipv4(ip("10.0.0.50"), peer4, kTcp, tcp(ip("10.0.0.50"), 1, peer4, 2)));
  error(ipv4(own4, peer4, kUdp, udp(own4, 1, peer4, 2)));
  error(ipv4(own4, peer4, kTcp, tcp(own4, 1, peer4, 2), {.fragment = 100}));
  EXPECT_EQ(dropped(kIcmpIgnored), 3u);
  error({});
  error(Bytes(20));
  error(ipv4(own4, peer4, kTcp, Bytes(7)));
  in6(own6, kIcmpv6, icmp(peer6, own6, 1, 0, 0, ipv6(own6, peer6, kTcp, Bytes(7))));
  EXPECT_EQ(dropped(kIcmpMalformed), 4u);
  EXPECT_TRUE(received.errors.empty());
}

}  // namespace
}  // namespace sluice::test
