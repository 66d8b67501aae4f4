// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/flows.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pktgen-scripts/packets/size_mix.h"

namespace sluice::pktgen::packets {
namespace {

TEST(Flows, AllFlowsTakeTurnsBeforeOneComesAgain) {
  for (const std::uint64_t count : {1ull, 2ull, 7ull, 1000ull, 65536ull, 1000000ull}) {
    const Flows flows(count, 1, 100);
    std::vector<bool> seen(count, false);
    for (std::uint64_t n = 0; n < count; ++n) {
      const std::uint64_t flow = flows.flow_of(n);
      ASSERT_LT(flow, count);
      ASSERT_FALSE(seen[flow]) << count << " " << n;
      seen[flow] = true;
    }
    EXPECT_EQ(flows.flow_of(count), flows.flow_of(0));
  }
}

TEST(Flows, TheNextFlowIsThatOfTheNextPacket) {
  for (const std::uint64_t count : {1ull, 3ull, 1000000ull, 4000000000ull}) {
    const Flows flows(count, 1, 100);
    std::uint64_t flow = 0;
    for (std::uint64_t n = 0; n < 100000; ++n, flow = flows.after(flow)) ASSERT_EQ(flow, flows.flow_of(n));
  }
}

TEST(Flows, NeighboursInTimeAreNotNeighboursInNumber) {
  const Flows flows(1000000, 1, 100);
  for (std::uint64_t n = 0; n < 1000; ++n) {
    const auto a = static_cast<std::int64_t>(flows.flow_of(n)),
               b = static_cast<std::int64_t>(flows.flow_of(n + 1));
    EXPECT_GT(std::abs(a - b), 64);
  }
}

TEST(Flows, EverySourceLeadsBackToItsFlowAndNoOtherDoes) {
  const Flows flows(10 * kPorts, 0xc6120001, 10);
  std::set<std::pair<std::uint32_t, std::uint16_t>> sources;
  for (std::uint64_t flow = 0; flow < flows.count(); flow += 37) {
    const Source s = flows.source(flow);
    EXPECT_GE(s.port, kFirstPort);
    EXPECT_TRUE(sources.insert({s.address, s.port}).second);
    EXPECT_EQ(flows.flow_at(s), flow);
  }
  EXPECT_EQ(flows.source(flows.count() - 1).port, 65535);
  EXPECT_FALSE(flows.flow_at({0xc6120000, 5000}));
  EXPECT_FALSE(flows.flow_at({0xc612000b, 5000}));
  EXPECT_FALSE(flows.flow_at({0xc6120001, 1023}));
}

TEST(Flows, SourcesBehindTheLastFlowAreNotOurs) {
  const Flows flows(15, 100, 10);
  EXPECT_EQ(flows.flow_at({104, 1025}), 14u);
  EXPECT_FALSE(flows.flow_at({105, 1025}));
}

TEST(SizeRound, EverySizeComesAsOftenAsItsWeightSays) {
  const auto round = size_round({{60, 7}, {590, 4}, {1514, 1}});
  std::map<int, int> times;
  for (const auto i : round) ++times[i];
  EXPECT_EQ(round.size(), 12u);
  EXPECT_EQ(times, (std::map<int, int>{{0, 7}, {1, 4}, {2, 1}}));
}

TEST(SizeRound, SizesAreSpreadAndNotBunched) {
  const auto round = size_round({{60, 4}, {1514, 4}});
  for (std::size_t i = 0; i < round.size(); ++i) EXPECT_NE(round[i], round[(i + 1) % round.size()]);
}

TEST(SizeRound, OneSizeIsARoundByItself) { EXPECT_EQ(size_round({{60, 1}}), std::vector<std::uint8_t>{0}); }

}  // namespace
}  // namespace sluice::pktgen::packets
