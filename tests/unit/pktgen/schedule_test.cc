// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/schedule.h"

#include <gtest/gtest.h>

namespace sluice::pktgen {
namespace {

using namespace std::chrono_literals;

constexpr Instant kBegin{1h};

TEST(Schedule, StartsAtOnceAndThenAtTheRate) {
  Schedule s(kBegin, 1000);
  EXPECT_FALSE(s.due(kBegin - 1ns));
  EXPECT_TRUE(s.due(kBegin));
  EXPECT_EQ(s.take(), kBegin);
  EXPECT_FALSE(s.due(kBegin + 999us));
  EXPECT_TRUE(s.due(kBegin + 1ms));
  EXPECT_EQ(s.take(), kBegin + 1ms);
}

TEST(Schedule, AStallDelaysTheStartsButNotTheTimesTheyAreMeantFor) {
  Schedule s(kBegin, 100);
  s.take();
  const Instant late = kBegin + 1s;  // nobody was free for a second
  EXPECT_EQ(s.behind(late), 100u);
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(s.due(late));
    EXPECT_EQ(s.take(), kBegin + i * 10ms);
  }
  EXPECT_FALSE(s.due(late));
  EXPECT_EQ(s.behind(late), 0u);
}

TEST(Schedule, DoesNotDriftAtRatesThatDivideNoSecond) {
  Schedule s(kBegin, 333'333.0);
  for (int i = 0; i < 333'333; ++i) s.take();
  EXPECT_NEAR(static_cast<double>((s.next() - kBegin - 1s).count()), 0, 10);
}

TEST(Schedule, IsBehindByNothingBeforeItsBegin) { EXPECT_EQ(Schedule(kBegin, 10).behind(kBegin - 1s), 0u); }

}  // namespace
}  // namespace sluice::pktgen
