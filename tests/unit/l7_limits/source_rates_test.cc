// SPDX-License-Identifier: Apache-2.0
#include "l7/limits/source_rates.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::l7::limits {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
constexpr std::uint32_t kRate = 10;

IpAddr ip(const char* text) { return *IpAddr::parse(text); }
IpAddr nth(std::uint32_t i) { return IpAddr::v4(0x0b000000u + i); }

/// As connections are opened: asked first, then charged.
int open_all(SourceRates& rates, const IpAddr& source, Instant now) {
  int n = 0;
  while (n < 10'000 && rates.has(source, kRate, now) && rates.take_overdrawn(source, kRate, now)) ++n;
  return n;
}

TEST(SourceRates, EachSourceHasASecondsWorthAtOnceAndThenTheRate) {
  SourceRates rates(1, 2);
  for (const char* source : {"192.0.2.1", "192.0.2.2", "2001:db8::1"}) {
    EXPECT_EQ(open_all(rates, ip(source), kStart), 10) << source;
    EXPECT_EQ(open_all(rates, ip(source), kStart + 500ms), 5) << source;
    EXPECT_EQ(open_all(rates, ip(source), kStart + 1h), 10) << source;
  }
}

TEST(SourceRates, AnIPv6ClientIsItsSlash64) {
  SourceRates rates(1, 2);
  EXPECT_EQ(open_all(rates, ip("2001:db8:0:7::1"), kStart), 10);
  EXPECT_FALSE(rates.has(ip("2001:db8:0:7:ffff:ffff:ffff:ffff"), kRate, kStart));
  EXPECT_TRUE(rates.has(ip("2001:db8:0:8::1"), kRate, kStart));
}

TEST(SourceRates, AskingChargesNobody) {
  SourceRates rates(1, 2);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(rates.has(ip("192.0.2.1"), kRate, kStart));
  EXPECT_EQ(open_all(rates, ip("192.0.2.1"), kStart), 10);
}

TEST(SourceRates, WhatHasBegunMayOverdrawByASecond) {
  SourceRates rates(1, 2);
  int n = 0;
  while (rates.take_overdrawn(ip("192.0.2.1"), kRate, kStart)) ++n;
  EXPECT_EQ(n, 20);
  EXPECT_FALSE(rates.has(ip("192.0.2.1"), kRate, kStart + 1s));
  EXPECT_TRUE(rates.has(ip("192.0.2.1"), kRate, kStart + 1101ms));
}

TEST(SourceRates, ASprayOfAddressesNeitherHurtsOthersNorFreesTheWorst) {
  SourceRates rates(1, 2);
  constexpr std::uint32_t kWorst = 100, kSprayed = 300'000;
  for (std::uint32_t i = 0; i < kWorst; ++i) EXPECT_EQ(open_all(rates, nth(i), kStart), 10);
  for (std::uint32_t i = 0; i < kSprayed; ++i) {
    ASSERT_TRUE(rates.has(nth(1000 + i), kRate, kStart)) << "refused for what others did";
    ASSERT_TRUE(rates.take_overdrawn(nth(1000 + i), kRate, kStart));
  }
  for (std::uint32_t i = 0; i < kWorst; ++i) EXPECT_FALSE(rates.has(nth(i), kRate, kStart)) << i;
}

TEST(SourceRates, ThousandsOfSourcesAreKnownAtATime) {
  SourceRates rates(1, 2);
  constexpr std::uint32_t kSources = 4096;
  for (std::uint32_t i = 0; i < kSources; ++i) open_all(rates, nth(i), kStart);
  std::uint32_t forgotten = 0;
  for (std::uint32_t i = 0; i < kSources; ++i) forgotten += rates.has(nth(i), kRate, kStart) ? 1 : 0;
  EXPECT_LE(forgotten, kSources / 100);
}

TEST(SourceRates, TheClockMayGoOnForWeeks) {
  SourceRates rates(1, 2);
  const Duration wrap = std::chrono::microseconds(1ll << 40);
  for (Instant t = Instant{} + wrap - 500ms; t < Instant{} + 3 * wrap; t += wrap) {
    EXPECT_EQ(open_all(rates, ip("192.0.2.1"), t), 10);
    EXPECT_EQ(open_all(rates, ip("192.0.2.1"), t + 1s), 10) << "across the wrap";
    EXPECT_EQ(open_all(rates, ip("192.0.2.1"), t + 6 * 24h), 10);
  }
}

TEST(SourceRates, WorkersThatRaceOverdrawNothing) {
  SourceRates rates(1, 2);
  std::atomic<int> given{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (rates.take_overdrawn(nth(1), SourceRates::kMaxRate, kStart)) ++given;
    });
  }
  for (std::thread& t : threads) t.join();
  // All four may have made an entry of their own at first.
  EXPECT_GE(given.load(), 2 * static_cast<int>(SourceRates::kMaxRate));
  EXPECT_LE(given.load(), 2 * static_cast<int>(SourceRates::kMaxRate) + 3);
}

}  // namespace
}  // namespace sluice::l7::limits
