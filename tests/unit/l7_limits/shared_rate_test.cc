// SPDX-License-Identifier: Apache-2.0
#include "l7/limits/shared_rate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::l7::limits {
namespace {

using namespace std::chrono_literals;
using Hand = SharedRate::Hand;

constexpr Instant kStart{1h};

/// Takes until there is nothing left.
std::uint64_t drain(SharedRate& rate, Hand& hand, std::uint32_t per_second, std::uint32_t workers, Instant now) {
  std::uint64_t n = 0;
  while (rate.take(hand, per_second, workers, now)) ++n;
  return n;
}

TEST(SharedRate, GivesASecondsWorthAtOnceAndThenTheRate) {
  for (const std::uint32_t per_second : {1u, 2u, 3u, 7u, 10u, 999u, 5000u, 100'000u, 1'234'567u}) {
    SharedRate rate;
    Hand hand;
    EXPECT_EQ(drain(rate, hand, per_second, 1, kStart), per_second);
    EXPECT_EQ(drain(rate, hand, per_second, 1, kStart), 0u);
    EXPECT_NEAR(static_cast<double>(drain(rate, hand, per_second, 1, kStart + 500ms)), per_second / 2, 1);
    EXPECT_NEAR(static_cast<double>(drain(rate, hand, per_second, 1, kStart + 2s)), per_second, 1);
    EXPECT_LE(drain(rate, hand, per_second, 1, kStart + 1h), per_second + 1) << "no more than fits in";
  }
}

TEST(SharedRate, WorkersTogetherGetTheRateAndNoMore) {
  for (const std::uint32_t per_second : {1u, 10u, 500u, 20'000u, 1'000'000u}) {
    for (const std::uint32_t workers : {1u, 2u, 7u, 64u}) {
      SharedRate rate;
      std::vector<Hand> hands(workers);
      std::uint64_t given = 0;
      for (Duration t{0}; t <= 3s; t += 10ms) {
        for (Hand& hand : hands) given += drain(rate, hand, per_second, workers, kStart + t);
      }
      EXPECT_LE(given, 4ull * per_second) << workers;
      EXPECT_GE(given, 4ull * per_second - 1 - per_second / 100) << workers;
    }
  }
}

TEST(SharedRate, AnIdleWorkerHoldsBackLessThanAHundredthOfTheRate) {
  for (const std::uint32_t per_second : {1u, 100u, 10'000u, 500'000u}) {
    SharedRate rate;
    std::vector<Hand> hands(4);
    // Three workers take one each, and rest.
    std::uint64_t given = 0;
    for (int w = 1; w < 4; ++w) given += rate.take(hands[w], per_second, 4, kStart) ? 1 : 0;
    given += drain(rate, hands[0], per_second, 4, kStart);
    EXPECT_GE(given, per_second - per_second / 100);
    EXPECT_LE(given, per_second);
  }
}

TEST(SharedRate, TellsWhetherThereIsOneWithoutTakingIt) {
  SharedRate rate;
  Hand hand;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(rate.has(hand, 5, kStart));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(rate.has(hand, 5, kStart));
    EXPECT_TRUE(rate.take(hand, 5, 1, kStart));
  }
  EXPECT_FALSE(rate.has(hand, 5, kStart));
  EXPECT_FALSE(rate.has(hand, 5, kStart + 199ms));
  EXPECT_TRUE(rate.has(hand, 5, kStart + 201ms));
}

TEST(SharedRate, WhatHasBegunMayOverdrawByASecondAndPaysBack) {
  SharedRate rate;
  Hand hand;
  EXPECT_EQ(drain(rate, hand, 100, 1, kStart), 100u);
  int overdrawn = 0;
  while (rate.take_overdrawn(hand, 100, 1, kStart)) ++overdrawn;
  EXPECT_EQ(overdrawn, 100);
  EXPECT_FALSE(rate.has(hand, 100, kStart + 999ms)) << "still in debt";
  EXPECT_TRUE(rate.has(hand, 100, kStart + 1020ms));
}

TEST(SharedRate, AChangedRateHoldsAtOnce) {
  SharedRate rate;
  Hand hand;
  EXPECT_EQ(drain(rate, hand, 1000, 1, kStart), 1000u);
  EXPECT_EQ(drain(rate, hand, 10, 1, kStart + 1s), 10u);
  EXPECT_EQ(drain(rate, hand, 1000, 1, kStart + 2s), 1000u);
}

TEST(SharedRate, ThreadsThatRaceGetEachTokenOnce) {
  constexpr std::uint32_t kRate = 100'000, kThreads = 4;
  SharedRate rate;
  std::atomic<std::uint64_t> given{0};
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      Hand hand;
      given += drain(rate, hand, kRate, kThreads, kStart);
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(given.load(), kRate);
}

}  // namespace
}  // namespace sluice::l7::limits
