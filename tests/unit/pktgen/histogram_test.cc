// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sluice::pktgen {
namespace {

using namespace std::chrono_literals;

TEST(Histogram, IsExactBelow128Nanoseconds) {
  Histogram h;
  for (int i = 1; i <= 100; ++i) h.record(Duration(i));
  EXPECT_EQ(h.percentile(50), 50ns);
  EXPECT_EQ(h.percentile(99), 99ns);
  EXPECT_EQ(h.percentile(100), 100ns);
  EXPECT_EQ(h.max(), 100ns);
  EXPECT_EQ(h.mean(), 50ns);
}

TEST(Histogram, PercentilesAreWithinAHundredthOfTheSortedValuesFromNanosecondsToMinutes) {
  Histogram h;
  std::vector<std::int64_t> all;
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; ++i) {
    all.push_back(static_cast<std::int64_t>(random() >> (26 + random() % 36)));
    h.record(Duration(all.back()));
  }
  std::ranges::sort(all);
  for (const double p : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto want = static_cast<double>(all[static_cast<std::size_t>(std::ceil(p / 100 * 200000)) - 1]);
    const auto got = static_cast<double>(h.percentile(p).count());
    EXPECT_GE(got, want) << p;
    EXPECT_LE(got, want * 1.01) << p;
  }
}

TEST(Histogram, KeepsTheTrueMaximumAndTheCountOfWhatIsTooLong) {
  Histogram h;
  h.record(24h);
  h.record(1us);
  EXPECT_EQ(h.max(), 24h);
  EXPECT_EQ(h.count(), 2u);
  EXPECT_GE(h.percentile(50), 1us);
  EXPECT_LT(h.percentile(50), 1010ns);
  EXPECT_GT(h.percentile(100), 18min);
}

TEST(Histogram, TakesANegativeDurationAsNone) {
  Histogram h;
  h.record(-5ns);
  EXPECT_EQ(h.percentile(100), 0ns);
}

TEST(Histogram, SumsOfTwoAreThoseOfAllValues) {
  Histogram a, b;
  for (int i = 0; i < 50; ++i) a.record(Duration(i));
  for (int i = 50; i < 100; ++i) b.record(Duration(i));
  a.add(b);
  EXPECT_EQ(a.count(), 100u);
  EXPECT_EQ(a.percentile(75), 74ns);
  EXPECT_EQ(a.max(), 99ns);
  EXPECT_EQ(a.min(), 0ns);
}

TEST(Histogram, OfNothingIsZero) {
  EXPECT_EQ(Histogram().percentile(99), 0ns);
  EXPECT_EQ(Histogram().mean(), 0ns);
}

}  // namespace
}  // namespace sluice::pktgen
