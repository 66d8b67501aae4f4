// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dataplane/ip_fixture.h"

namespace sluice::test {
namespace {

using namespace net::wire;
using enum DropReason;
using State = net::NeighborTable::State;

class Neighbors : public IpFixture {
 protected:
  std::vector<Sent> send_to(const IpAddr& to) {
    const IpAddr from = to.is_v4() ? own4 : own6;
    return out(from, to, kTcp, tcp(from, 20000, to, 80));
  }
  std::vector<Sent> in_arp(std::uint16_t operation, const MacAddr& sender_mac, const IpAddr& sender,
                           const IpAddr& target, const MacAddr& to = kBroadcastMac) {
    return in(ethernet(to, sender_mac, kEtherArp, arp(operation, sender_mac, sender, {}, target)));
  }
  std::vector<Sent> in_nd(const MacAddr& to_mac, const IpAddr& from, const IpAddr& to, std::uint8_t type,
                          std::uint8_t flags, const IpAddr& target, std::uint8_t option, const MacAddr& link,
                          std::uint8_t hop_limit = 255) {
    return in(ethernet(to_mac, peer, kEtherIpv6,
                       ipv6(from, to, kIcmpv6, nd(from, to, type, flags, target, option, link), hop_limit)));
  }
  std::optional<State> state(const IpAddr& a) { return layer().neighbors().state(PortId{0}, a); }
  void make_reachable() {
    send_to(peer4);
    answer_arp(peer4, peer);
    ASSERT_EQ(state(peer4), State::kReachable);
  }
};

TEST_F(Neighbors, AnArpRequestGoesOutFromTheInterfaceAddressAndItsAnswerFreesWhatWaited) {
  const auto asked = out(vip4, peer4, kTcp, tcp(vip4, 80, peer4, 4000));
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].bytes, ethernet(kBroadcastMac, mac(1), kEtherArp, arp(1, mac(1), own4, {}, peer4)));
  EXPECT_EQ(state(peer4), State::kIncomplete);
  EXPECT_TRUE(send_to(peer4).empty());
  const auto sent = answer_arp(peer4, peer);
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_EQ(state(peer4), State::kReachable);
  ASSERT_EQ(received.neighbors.size(), 1u) << "the other workers are told";
  EXPECT_EQ(received.neighbors[0].mac, peer);
}

TEST_F(Neighbors, ANeighborSolicitationGoesToTheSolicitedNodeGroupFromTheLinkLocalAddress) {
  const auto asked = send_to(peer6);
  ASSERT_EQ(asked.size(), 1u);
  const IpAddr group = ip("ff02::1:ff00:7"), self = ip("fe80::ff:fe00:1");
  EXPECT_EQ(asked[0].bytes,
            ethernet({{0x33, 0x33, 0xff, 0, 0, 7}}, mac(1), kEtherIpv6,
                     ipv6(self, group, kIcmpv6, nd(self, group, 135, 0, peer6, 1, mac(1)), 255)));
  EXPECT_EQ(in_nd(mac(1), peer6, self, 136, 0x60, peer6, 2, peer).size(), 1u);
  EXPECT_EQ(state(peer6), State::kReachable);
}

TEST_F(Neighbors, SilenceIsAskedThreeTimesThenFailsWithAnErrorForEachFlow) {
  send_to(peer4);
  EXPECT_EQ(pass(900ms).size(), 0u);
  EXPECT_EQ(pass(2s).size(), 2u);
  EXPECT_EQ(pass(200ms).size(), 0u);
  EXPECT_EQ(state(peer4), State::kFailed);
  EXPECT_EQ(dropped(kNeighborUnresolved), 1u);
  std::vector<net::IcmpError> errors;
  layer().take_unresolved(errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].kind, net::IcmpError::Kind::kUnreachable);
  EXPECT_EQ(errors[0].flow, (FlowKey{{own4, 20000}, {peer4, 80}}));
  EXPECT_EQ(errors[0].tcp_seq, 0x01020304u);
  EXPECT_TRUE(send_to(peer4).empty()) << "no storm of requests";
  EXPECT_EQ(dropped(kNeighborUnresolved), 2u);
  pass(1100ms);
  EXPECT_EQ(state(peer4), std::nullopt);
  EXPECT_EQ(send_to(peer4).size(), 1u);
}

TEST_F(Neighbors, WaitingPacketsAreBoundedAndTheOldestMakesRoom) {
  limits.pending_per_neighbor = 4;
  limits.pending = 6;
  for (int i = 0; i < 6; ++i) send_to(peer4);
  EXPECT_EQ(dropped(kNeighborQueueFull), 2u);
  for (int i = 0; i < 4; ++i) send_to(ip("10.0.0.8"));
  EXPECT_EQ(dropped(kNeighborQueueFull), 4u);
  EXPECT_EQ(layer().neighbors().pending(), 6u);
  EXPECT_EQ(answer_arp(peer4, peer).size(), 4u);
}

TEST_F(Neighbors, AUsedNeighbourIsRefreshedByUnicastBeforeItGoesStale) {
  make_reachable();
  pass(29s);
  send_to(peer4);
  const auto probe = pass(1100ms);
  ASSERT_EQ(probe.size(), 1u);
  EXPECT_EQ(probe[0].bytes, ethernet(peer, mac(1), kEtherArp, arp(1, mac(1), own4, {}, peer4)));
  EXPECT_EQ(state(peer4), State::kProbing);
  EXPECT_EQ(send_to(peer4).size(), 1u) << "meanwhile packets go on";
  answer_arp(peer4, peer);
  EXPECT_EQ(state(peer4), State::kReachable);
}

TEST_F(Neighbors, AnUnusedNeighbourGoesStaleThenAway) {
  make_reachable();
  EXPECT_TRUE(pass(31s).empty());
  EXPECT_EQ(state(peer4), State::kStale);
  pass(10min + 1s);
  EXPECT_EQ(state(peer4), std::nullopt);
  EXPECT_EQ(layer().neighbors().size(), 0u);
}

TEST_F(Neighbors, AStaleNeighbourIsUsedAndProbedAtOnce) {
  make_reachable();
  pass(31s);
  const auto sent = send_to(peer4);
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_EQ(state(peer4), State::kProbing);
}

TEST_F(Neighbors, ADeadNeighbourIsAskedByUnicastThenByAllThenFails) {
  make_reachable();
  pass(29s);
  send_to(peer4);
  const auto asked = pass(7s);
  ASSERT_EQ(asked.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_EQ(load_mac(&asked[i].bytes[0]), i < 3 ? peer : kBroadcastMac) << i;
  EXPECT_EQ(state(peer4), State::kFailed);
}

TEST_F(Neighbors, AForgedAnnouncementOrReplyDoesNotMoveAnEntryWhileItsOwnerAnswers) {
  const MacAddr thief = mac(0x66);
  for (const std::uint16_t operation : {1, 2}) {
    make_reachable();
    const auto contest = in_arp(operation, thief, peer4, operation == 1 ? peer4 : own4,
                                operation == 1 ? kBroadcastMac : mac(1));
    ASSERT_EQ(contest.size(), 1u);
    EXPECT_EQ(load_mac(&contest[0].bytes[0]), peer) << "the known owner is asked";
    in_arp(2, thief, peer4, own4, mac(1));
    answer_arp(peer4, peer);
    EXPECT_EQ(state(peer4), State::kReachable);
    const auto sent = send_to(peer4);
    EXPECT_EQ(load_mac(&sent.at(0).bytes[0]), peer);
  }
}

TEST_F(Neighbors, ARealFailoverIsFollowedWithinASecond) {
  make_reachable();
  const MacAddr successor = mac(0x55);
  in_arp(1, successor, peer4, peer4);
  const auto asked = pass(260ms);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(load_mac(&asked[0].bytes[0]), kBroadcastMac);
  in_arp(2, successor, peer4, own4, mac(1));
  EXPECT_EQ(state(peer4), State::kReachable);
  EXPECT_EQ(load_mac(&send_to(peer4).at(0).bytes[0]), successor);
}

TEST_F(Neighbors, ArpRequestsForOurAddressesAreAnsweredAndNoOthers) {
  for (const IpAddr& a : {own4, vip4}) {
    const auto sent = in_arp(1, peer, peer4, a);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes, ethernet(peer, mac(1), kEtherArp, arp(2, mac(1), a, peer, peer4)));
  }
  EXPECT_EQ(state(peer4), State::kStale) << "who asks us will hear from us";
  EXPECT_TRUE(in_arp(1, peer, peer4, ip("10.0.0.50")).empty());
  EXPECT_TRUE(in_arp(1, peer, peer4, ip("10.1.0.1")).empty()) << "another port's address";
  const auto probe = in_arp(1, peer, ip("0.0.0.0"), vip4);  // RFC 5227
  ASSERT_EQ(probe.size(), 1u);
  EXPECT_EQ(probe[0].from(14), arp(2, mac(1), vip4, peer, ip("0.0.0.0")));
}

TEST_F(Neighbors, NothingIsLearnedFromWhoSpeaksForUsOrForHostsElsewhere) {
  in_arp(1, peer, vip4, own4);
  in_arp(2, peer, own4, own4, mac(1));
  in_arp(1, peer, ip("192.0.2.1"), own4);
  EXPECT_EQ(dropped(kArpIgnored), 3u);
  in_arp(2, peer, peer4, own4, mac(1));  // nobody asked
  in_arp(1, peer, peer4, peer4);         // announcement of a stranger
  EXPECT_EQ(dropped(kArpIgnored), 5u);
  in(ethernet(mac(1), mac(0x66), kEtherArp, arp(1, peer, peer4, {}, own4)));  // the frame says another sender
  in(ethernet(mac(1), kBroadcastMac, kEtherArp, arp(1, kBroadcastMac, peer4, {}, own4)));
  EXPECT_EQ(dropped(kArpMalformed), 2u);
  EXPECT_EQ(layer().neighbors().size(), 0u);
}

TEST_F(Neighbors, StrangersFillThreeQuartersOfTheTableAndOurOwnQuestionsAlwaysFind) {
  limits.neighbors = 8;
  for (std::uint8_t i = 10; i < 40; ++i) in_arp(1, mac(i), IpAddr::v4(0x0a000000u | i), own4);
  EXPECT_EQ(layer().neighbors().size(), 6u);
  for (std::uint8_t i = 50; i < 54; ++i) {
    send_to(IpAddr::v4(0x0a000000u | i));
    answer_arp(IpAddr::v4(0x0a000000u | i), mac(i));
    EXPECT_EQ(state(IpAddr::v4(0x0a000000u | i)), State::kReachable);
  }
  EXPECT_EQ(layer().neighbors().size(), 8u);
}

TEST_F(Neighbors, SolicitationsForOurAddressesAreAnswered) {
  for (const IpAddr& a : {own6, vip6, ip("fe80::ff:fe00:1")}) {
    const IpAddr group = solicited_node(a);
    const auto sent = in_nd(multicast_mac(group), peer6, group, 135, 0, a, 1, peer);
    ASSERT_EQ(sent.size(), 1u) << a.to_string();
    EXPECT_EQ(sent[0].bytes, ethernet(peer, mac(1), kEtherIpv6,
                                      ipv6(a, peer6, kIcmpv6, nd(a, peer6, 136, 0x60, a, 2, mac(1)), 255)));
  }
  EXPECT_EQ(state(peer6), State::kStale);
  // Duplicate address detection: to all nodes, not solicited.
  const IpAddr group = solicited_node(vip6), all = all_nodes();
  const auto dad = in_nd(multicast_mac(group), ip("::"), group, 135, 0, vip6, 0, {});
  ASSERT_EQ(dad.size(), 1u);
  EXPECT_EQ(dad[0].bytes, ethernet(multicast_mac(all), mac(1), kEtherIpv6,
                                   ipv6(vip6, all, kIcmpv6, nd(vip6, all, 136, 0x20, vip6, 2, mac(1)), 255)));
}

TEST_F(Neighbors, InvalidNeighborDiscoveryIsCountedAndTeachesNothing) {
  const IpAddr group = solicited_node(own6);
  const MacAddr gm = multicast_mac(group);
  layer();
  in_nd(gm, peer6, group, 135, 0, own6, 1, peer, 254);      // crossed a router
  in_nd(gm, peer6, group, 135, 0, ip("ff02::1"), 1, peer);  // multicast target
  in_nd(gm, ip("::"), group, 135, 0, own6, 1, peer);        // DAD with a link address
  in_nd(gm, peer6, group, 135, 0, own6, 1, kBroadcastMac);  // nobody has that address
  in_nd(multicast_mac(all_nodes()), peer6, all_nodes(), 136, 0x40, peer6, 2, peer);  // solicited, to a group
  Bytes zero_option = nd(peer6, group, 135, 0, own6, 1, peer);
  zero_option[25] = 0;
  in(ethernet(gm, peer, kEtherIpv6,
              ipv6(peer6, group, kIcmpv6,
                   summed(peer6, group, kIcmpv6,
                          [&] {
                            store16(&zero_option[2], 0);
                            return zero_option;
                          }()),
                   255)));
  EXPECT_EQ(dropped(kNdMalformed), 6u);
  in_nd(gm, peer6, group, 135, 0, ip("fd00::50"), 1, peer);  // not ours
  in_nd(mac(1), peer6, own6, 136, 0x60, peer6, 2, peer);     // nobody asked
  in_nd(mac(1), peer6, own6, 136, 0x60, vip6, 2, peer);      // speaks for us
  EXPECT_EQ(dropped(kNdIgnored), 3u);
  EXPECT_EQ(layer().neighbors().size(), 0u);
}

TEST_F(Neighbors, AllAddressesAreAnnouncedTwiceAndNewVipsOnce) {
  layer().announce(PortId{0}, now);
  const auto first = take();
  // fe80, 10.0.0.1, fd00::1, both VIPs
  ASSERT_EQ(first.size(), 5u);
  const auto has = [](const std::vector<Sent>& sent, const Bytes& b) {
    return std::ranges::any_of(sent, [&](const Sent& s) { return s.bytes == b; });
  };
  const IpAddr all = all_nodes();
  EXPECT_TRUE(has(first, ethernet(kBroadcastMac, mac(1), kEtherArp, arp(1, mac(1), vip4, {}, vip4))));
  EXPECT_TRUE(has(first, ethernet(multicast_mac(all), mac(1), kEtherIpv6,
                                  ipv6(vip6, all, kIcmpv6, nd(vip6, all, 136, 0x20, vip6, 2, mac(1)), 255))));
  EXPECT_EQ(pass(1100ms).size(), 5u);
  EXPECT_EQ(pass(5s).size(), 0u);

  layer().set_vips(
      net::VipSet{{ip("10.0.0.100"), ip("10.0.0.101"), ip("10.1.0.100"), ip("192.0.2.9"), ip("fd00::100")}},
      true, now);
  const auto fresh = take();
  // 10.0.0.101 on port 0, 10.1.0.100 on port 1, and the one that lies in no network on both.
  ASSERT_EQ(fresh.size(), 4u);
  EXPECT_TRUE(has(fresh, ethernet(kBroadcastMac, mac(2), kEtherArp,
                                  arp(1, mac(2), ip("10.1.0.100"), {}, ip("10.1.0.100")))));
  EXPECT_EQ(in_arp(1, peer, peer4, ip("10.0.0.101")).size(), 1u);
  EXPECT_TRUE(in_arp(1, peer, peer4, ip("10.1.0.100")).empty());
}

TEST_F(Neighbors, ARemovedVipIsNoLongerOurs) {
  layer().set_vips(net::VipSet{}, true, now);
  EXPECT_TRUE(in_arp(1, peer, peer4, vip4).empty());
  in(ethernet(mac(1), peer, kEtherIpv4, ipv4(peer4, vip4, kTcp, tcp(peer4, 1, vip4, 80))));
  EXPECT_EQ(dropped(kIpNotLocal), 1u);
}

TEST_F(Neighbors, AfterTheLinkComesBackKnownNeighboursAreProbedAgain) {
  make_reachable();
  layer().link_restored(PortId{0}, now);
  EXPECT_EQ(state(peer4), State::kStale);
  EXPECT_EQ(send_to(peer4).size(), 2u);
}

TEST_F(Neighbors, FramesThatNobodyFlushedGoWithTheLayer) {
  layer().announce(PortId{0}, now);  // the fixture counts buffers at its end
}

TEST_F(Neighbors, WhatAnotherWorkerLearnedHelpsHere) {
  send_to(peer4);
  layer().learn({PortId{0}, peer4, peer, net::NeighborUpdate::Kind::kAnswered, true}, now);
  EXPECT_EQ(take().size(), 1u);
  EXPECT_EQ(state(peer4), State::kReachable);
}

}  // namespace
}  // namespace sluice::test
