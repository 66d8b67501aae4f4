// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/scoreboard.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace sluice::l4::tcp {
namespace {

SackBlock block(std::uint32_t a, std::uint32_t b) { return {SeqNum(a), SeqNum(b)}; }

TEST(Scoreboard, blocks_merge_and_only_news_counts) {
  Scoreboard s;
  EXPECT_EQ(s.add(block(100, 200)), 100u);
  EXPECT_EQ(s.add(block(300, 400)), 100u);
  EXPECT_EQ(s.add(block(100, 200)), 0u);
  EXPECT_EQ(s.add(block(150, 350)), 100u);
  EXPECT_EQ(s.ranges(), 1u);
  EXPECT_EQ(s.bytes(), 300u);
  EXPECT_EQ(s.highest(), SeqNum(400));
}

TEST(Scoreboard, three_ranges_or_more_than_two_segments_above_mean_lost) {
  Scoreboard s;
  s.add(block(2000, 2100));
  s.add(block(3000, 3100));
  EXPECT_FALSE(s.is_lost(SeqNum(1000), 1000));
  s.add(block(4000, 4100));
  EXPECT_TRUE(s.is_lost(SeqNum(1000), 1000));
  EXPECT_FALSE(s.is_lost(SeqNum(2500), 1000));
  s.clear();
  s.add(block(2000, 4000));
  EXPECT_FALSE(s.is_lost(SeqNum(1000), 1000));
  s.add(block(4000, 4001));
  EXPECT_TRUE(s.is_lost(SeqNum(1000), 1000));
}

TEST(Scoreboard, pipe_leaves_out_sacked_and_lost_bytes_and_counts_retransmitted_ones) {
  Scoreboard s;
  s.add(block(2000, 5000));
  // [1000,2000) is lost; [5000,7000) is in flight.
  EXPECT_EQ(s.pipe(SeqNum(1000), SeqNum(1000), SeqNum(7000), 1000), 2000u);
  EXPECT_EQ(s.pipe(SeqNum(1000), SeqNum(1500), SeqNum(7000), 1000), 2500u);
}

TEST(Scoreboard, holes_and_skipping) {
  Scoreboard s;
  s.add(block(2000, 3000));
  s.add(block(4000, 5000));
  EXPECT_EQ(s.hole(SeqNum(1000)), block(1000, 2000));
  EXPECT_EQ(s.hole(SeqNum(2000)), block(3000, 4000));
  EXPECT_EQ(s.hole(SeqNum(4500)), std::nullopt);
  EXPECT_EQ(s.skip(SeqNum(2500)), SeqNum(3000));
  EXPECT_EQ(s.skip(SeqNum(3500)), SeqNum(3500));
  EXPECT_EQ(s.bytes_below(SeqNum(4200)), 1200u);
  s.acknowledge(SeqNum(4200));
  EXPECT_EQ(s.bytes(), 800u);
  EXPECT_EQ(s.first(), SeqNum(4200));
}

TEST(Scoreboard, agrees_with_a_set_of_bytes_across_the_wrap) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    Scoreboard s;
    std::set<std::uint32_t> model;
    const std::uint32_t base = 0xffffff80;
    std::uint32_t una = 0;
    for (int i = 0; i < 60; ++i) {
      const std::uint32_t a = una + random() % 200, b = a + 1 + random() % 20;
      std::size_t news = 0;
      for (std::uint32_t x = a; x < b; ++x) news += model.insert(x).second;
      EXPECT_EQ(s.add(block(base + a, base + b)), news);
      if (random() % 10 == 0) {
        una += random() % 30;
        model.erase(model.begin(), model.lower_bound(una));
        s.acknowledge(SeqNum(base + una));
      }
      ASSERT_EQ(s.bytes(), model.size()) << "seed " << seed;
      ASSERT_LE(s.ranges(), Scoreboard::kRanges);
    }
  }
}

TEST(Scoreboard, what_does_not_fit_is_not_recorded) {
  Scoreboard s;
  for (std::uint32_t i = 0; i < Scoreboard::kRanges; ++i)
    EXPECT_EQ(s.add(block(1000 + 10 * i, 1005 + 10 * i)), 5u);
  EXPECT_EQ(s.add(block(1, 5)), 0u);
  EXPECT_EQ(s.add(block(1005, 1010)), 5u);  // joins two
  EXPECT_EQ(s.add(block(1, 5)), 4u);
}

}  // namespace
}  // namespace sluice::l4::tcp
