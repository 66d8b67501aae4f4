// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/frame.h"

#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/base/checksum.h"
#include "dataplane/net/wire.h"

namespace sluice::pktgen::packets {
namespace {

using net::wire::load16;
using net::wire::load32;
using net::wire::store16;
using net::wire::store32;

constexpr std::uint32_t kVip = 0x0a4d0064, kFirst = 0xc6120001;
const Ends kEnds{{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, {IpAddr::v4(kVip), 80}, 0};
const Flows kFlows(1000, kFirst, 10);

std::vector<std::uint8_t> copy_of(const FrameTemplate& t) { return {t.bytes().begin(), t.bytes().end()}; }

std::vector<std::uint8_t> udp_frame(std::uint64_t number, std::size_t size = 60) {
  const FrameTemplate t = FrameTemplate::udp(kEnds, size);
  auto f = copy_of(t);
  t.patch_udp(f.data(), kFlows.source(kFlows.flow_of(number)), number);
  return f;
}

std::vector<std::uint8_t> tcp_frame(std::uint64_t number, std::uint8_t flags, std::size_t size = 60) {
  const FrameTemplate t = FrameTemplate::tcp(kEnds, size, flags, flags == kSynFlag);
  auto f = copy_of(t);
  const auto low = static_cast<std::uint32_t>(number);
  t.patch_tcp(f.data(), kFlows.source(kFlows.flow_of(number)), low, ~low);
  return f;
}

Look look(const std::vector<std::uint8_t>& f, std::uint64_t sent = 1u << 20) {
  return look_at(f, kEnds.target, kFlows, sent);
}

/// Writes the checksums anew, by the code that the appliance uses.
void repair(std::vector<std::uint8_t>& f) {
  const std::size_t length = load16(&f[16]);
  store16(&f[24], 0);
  net::wire::store(&f[24], InternetChecksum().add(std::span(f).subspan(14, 20)).checksum());
  const std::uint8_t protocol = f[23];
  const std::size_t at = 34 + static_cast<std::size_t>(net::wire::checksum_offset(protocol));
  store16(&f[at], 0);
  InternetChecksum sum;
  if (protocol != net::wire::kIcmp) {
    sum.add_pseudo_header(IpAddr::v4_bytes(&f[26]), IpAddr::v4_bytes(&f[30]), protocol,
                          static_cast<std::uint32_t>(length - 20));
  }
  net::wire::store(&f[at], sum.add(std::span(f).subspan(34, length - 20)).checksum());
}

/// An answer of the target to a TCP frame of ours.
std::vector<std::uint8_t> answer_to(std::vector<std::uint8_t> f, std::uint8_t flags) {
  const std::uint32_t source = load32(&f[26]), seq = load32(&f[38]);
  const std::uint16_t port = load16(&f[34]);
  store32(&f[26], kVip);
  store32(&f[30], source);
  store16(&f[34], 80);
  store16(&f[36], port);
  store32(&f[38], 777);
  store32(&f[42], seq + 1);
  f[47] = flags;
  repair(f);
  return f;
}

TEST(Frame, ChecksumsOfPatchedPacketsAreThoseOfAWholeComputation) {
  for (const std::size_t size : {60u, 61u, 594u, 1514u}) {
    for (const std::uint64_t number : {0ull, 1ull, 65535ull, 65536ull, 0xffffffffull, 0x123456789abcull}) {
      for (const auto& f : {udp_frame(number, size), tcp_frame(number, kAckFlag, size)}) {
        auto whole = f;
        repair(whole);
        EXPECT_EQ(f, whole) << size << " " << number;
      }
    }
  }
}

TEST(Frame, AFrameThatWasPatchedBeforeIsPatchedAsWellAsAFreshOne) {
  const FrameTemplate t = FrameTemplate::udp(kEnds, 60);
  auto f = copy_of(t);
  for (std::uint64_t n = 0; n < 3000; ++n) {
    t.patch_udp(f.data(), kFlows.source(kFlows.flow_of(n)), n);
    ASSERT_EQ(f, udp_frame(n));
  }
}

TEST(Frame, AUdpChecksumOfZeroIsWrittenAsAllOnes) {
  const FrameTemplate t = FrameTemplate::udp(kEnds, 60);
  auto f = copy_of(t);
  bool met = false;
  for (std::uint32_t port = 0; port < 65536; ++port) {  // so the sum takes every value
    t.patch_udp(f.data(), {kFirst, static_cast<std::uint16_t>(port)}, 0);
    ASSERT_NE(load16(&f[40]), 0);
    met |= load16(&f[40]) == 0xffff;
  }
  EXPECT_TRUE(met);
}

TEST(Frame, ASynCarriesItsMssInsideTheLeastFrame) {
  const auto f = tcp_frame(5, kSynFlag);
  EXPECT_EQ(f.size(), 60u);
  EXPECT_EQ(load16(&f[16]), 44);
  EXPECT_EQ(f[46] >> 4, 6);
  EXPECT_EQ(load16(&f[56]), 1460);
}

TEST(Look, OurOwnPacketsComeBackWithTheirNumberAndFlow) {
  for (const std::uint64_t number : {0ull, 999ull, 1000ull, 123456ull}) {
    for (const auto& f : {udp_frame(number), tcp_frame(number, kAckFlag), tcp_frame(number, kSynFlag)}) {
      const Look l = look(f);
      EXPECT_EQ(l.seen, Seen::kReturned);
      EXPECT_EQ(l.number, number);
      EXPECT_EQ(l.flow, kFlows.flow_of(number));
    }
  }
}

TEST(Look, ADatagramThatComesBackWithItsEndsSwappedIsOurs) {
  auto f = udp_frame(77);
  const std::uint32_t source = load32(&f[26]);
  const std::uint16_t port = load16(&f[34]);
  store32(&f[26], kVip);
  store32(&f[30], source);
  store16(&f[34], 80);
  store16(&f[36], port);
  EXPECT_EQ(look(f).seen, Seen::kReturned);  // the checksums hold
  EXPECT_EQ(look(f).number, 77u);
  f[43] ^= 1;
  repair(f);
  EXPECT_EQ(look(f).seen, Seen::kBadTag);
}

TEST(Look, ATcpNumberIsTheLatestWithItsLowHalf) {
  const std::uint64_t number = 0x2fffffff0ull;
  EXPECT_EQ(look(tcp_frame(number, kAckFlag), number + 100).number, number);
  EXPECT_EQ(look(tcp_frame(number, kAckFlag), 0x300000010ull).number, number);
}

TEST(Look, APacketThatWasNeverSentIsNotOurs) { EXPECT_EQ(look(udp_frame(50), 50).seen, Seen::kBadTag); }

TEST(Look, ANumberOfAnotherFlowIsNotOurs) {
  const FrameTemplate t = FrameTemplate::udp(kEnds, 60);
  auto f = copy_of(t);
  t.patch_udp(f.data(), kFlows.source(kFlows.flow_of(7)), 8);
  EXPECT_EQ(look(f).seen, Seen::kBadTag);
}

TEST(Look, EveryFlippedBitOfAPacketIsNoticed) {
  for (const auto& good : {udp_frame(3), tcp_frame(3, kAckFlag)}) {
    const std::size_t end = 14u + load16(&good[16]);
    for (std::size_t byte = 14; byte < end; ++byte) {
      for (int bit = 0; bit < 8; ++bit) {
        auto f = good;
        f[byte] ^= static_cast<std::uint8_t>(1 << bit);
        EXPECT_NE(look(f).seen, Seen::kReturned) << byte << "." << bit;
      }
    }
  }
}

TEST(Look, AnswersAreToldApart) {
  const auto syn = tcp_frame(9, kSynFlag);
  const std::pair<int, Seen> table[] = {{kSynFlag | kAckFlag, Seen::kSynAck},
                                        {kRst | kAckFlag, Seen::kReset},
                                        {kRst, Seen::kReset},
                                        {kAckFlag, Seen::kAck},
                                        {kAckFlag | 8, Seen::kAck},
                                        {kFin | kAckFlag, Seen::kFinish},
                                        {0, Seen::kBadTag}};
  for (const auto& [flags, seen] : table) {
    const Look l = look(answer_to(syn, static_cast<std::uint8_t>(flags)));
    EXPECT_EQ(l.seen, seen) << flags;
    EXPECT_EQ(l.flow, kFlows.flow_of(9));
    if (seen == Seen::kSynAck) {
      EXPECT_EQ(l.seq, 777u);
      EXPECT_EQ(l.ack, 10u);
    }
  }
}

TEST(Look, AnAnswerToNobodyOrFromSomebodyElseIsABadAddress) {
  const auto good = answer_to(tcp_frame(9, kSynFlag), kRst);
  auto f = good;
  store32(&f[30], kFirst + 10);
  repair(f);
  EXPECT_EQ(look(f).seen, Seen::kBadAddress);
  f = good;
  store32(&f[26], kVip + 1);
  repair(f);
  EXPECT_EQ(look(f).seen, Seen::kBadAddress);
  f = good;
  store16(&f[36], 1023);
  repair(f);
  EXPECT_EQ(look(f).seen, Seen::kBadAddress);
}

TEST(Look, AnIcmpErrorIsThatOfThePacketItQuotes) {
  const auto about = udp_frame(11);
  std::vector<std::uint8_t> f(14 + 20 + 8 + 28);
  std::copy(about.begin(), about.begin() + 34, f.begin());
  store16(&f[16], static_cast<std::uint16_t>(f.size() - 14));
  f[23] = net::wire::kIcmp;
  store32(&f[26], 0x0a4d0001);  // of the appliance, not of the VIP
  store32(&f[30], load32(&about[26]));
  f[34] = 3;
  f[35] = 3;
  std::copy(about.begin() + 14, about.begin() + 42, f.begin() + 42);
  repair(f);
  EXPECT_EQ(look(f).seen, Seen::kIcmp);
  EXPECT_EQ(look(f).flow, kFlows.flow_of(11));
  store32(&f[42 + 12], 0x01020304);
  repair(f);
  EXPECT_EQ(look(f).seen, Seen::kBadAddress);
}

TEST(Look, CutOffFramesOfAnyLengthAreRefused) {
  for (const auto& good : {udp_frame(3), tcp_frame(3, kAckFlag), answer_to(tcp_frame(3, kSynFlag), kRst)}) {
    const std::size_t whole = 14u + load16(&good[16]);
    for (std::size_t n = 0; n < whole; ++n) {
      EXPECT_EQ(look({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n)}).seen, Seen::kBadFrame)
          << n;
    }
  }
}

TEST(Look, APacketConcernsItsTwoAddressesOnly) {
  const auto f = udp_frame(1);
  EXPECT_TRUE(concerns(f, kVip));
  EXPECT_TRUE(concerns(f, load32(&f[26])));
  EXPECT_FALSE(concerns(f, 0x0a4d0002));
  EXPECT_FALSE(concerns(std::span(f).first(33), kVip));
}

TEST(Look, WhatIsNotIpv4IsSomebodyElses) {
  auto f = udp_frame(1);
  store16(&f[12], net::wire::kEtherIpv6);
  EXPECT_EQ(look(f).seen, Seen::kOther);
}

TEST(Arp, ARequestForUsBecomesItsAnswerAndOneForOthersDoesNot) {
  const MacAddr theirs{{2, 0, 0, 0, 0, 2}}, ours{{2, 0, 0, 0, 0, 1}};
  auto f = arp_request(theirs, kVip, kFirst);
  EXPECT_EQ(look(f).seen, Seen::kArpRequest);
  auto other = f;
  EXPECT_FALSE(answer_arp(other.data(), ours, kFirst + 1));
  EXPECT_EQ(other, f);
  ASSERT_TRUE(answer_arp(f.data(), ours, kFirst));
  EXPECT_EQ(look(f).seen, Seen::kArpReply);
  MacAddr found;
  EXPECT_TRUE(is_arp_reply_of(f, kFirst, found));
  EXPECT_EQ(found, ours);
  EXPECT_FALSE(is_arp_reply_of(f, kVip, found));
  EXPECT_EQ(std::memcmp(f.data(), theirs.bytes.data(), 6), 0);
  EXPECT_EQ(load32(&f[38]), kVip);
}

}  // namespace
}  // namespace sluice::pktgen::packets
