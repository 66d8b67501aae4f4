// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/replay_guard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <random>
#include <thread>
#include <vector>

namespace sluice::l7::tls {
namespace {

using Verdict = ReplayGuard::Verdict;
using Fingerprint = ReplayGuard::Fingerprint;

constexpr std::int64_t kStart = 1'700'000'000;
constexpr std::int64_t kLater = kStart + 1000;

Fingerprint hello(std::uint64_t place, std::uint64_t n) { return {place, n << 17}; }

TEST(ReplayGuard, TakesAClientHelloOnceForAsLongAsItsAgeCouldBeRight) {
  ReplayGuard guard(1024, kStart);
  EXPECT_EQ(guard.admit(hello(1, 7), kLater), Verdict::kFresh);
  EXPECT_EQ(guard.admit(hello(1, 8), kLater), Verdict::kFresh);
  EXPECT_EQ(guard.admit(hello(2, 7), kLater), Verdict::kFresh);
  for (std::int64_t s = 0; s <= ReplayGuard::kLifetime; ++s) EXPECT_EQ(guard.admit(hello(1, 7), kLater + s), Verdict::kReplayed);
  EXPECT_EQ(guard.admit(hello(1, 7), kLater + ReplayGuard::kLifetime + 1), Verdict::kFresh);
}

TEST(ReplayGuard, RefusesWhenThereIsNoPlaceUntilOneIsFreeAgain) {
  ReplayGuard guard(8, kStart);
  for (std::uint64_t n = 1; n <= 8; ++n) EXPECT_EQ(guard.admit(hello(n, n), kLater + (n == 1 ? 0 : 5)), Verdict::kFresh);
  EXPECT_EQ(guard.admit(hello(9, 9), kLater + 5), Verdict::kFull);
  EXPECT_EQ(guard.admit(hello(3, 3), kLater + 5), Verdict::kReplayed) << "one that is known is still known";
  const std::int64_t freed = kLater + ReplayGuard::kLifetime + 1;
  EXPECT_EQ(guard.admit(hello(9, 9), freed), Verdict::kFresh) << "in the place of the first";
  EXPECT_EQ(guard.admit(hello(10, 10), freed), Verdict::kFull);
  EXPECT_EQ(guard.admit(hello(9, 9), freed), Verdict::kReplayed);
}

TEST(ReplayGuard, TakesNothingUntilWhatCameBeforeItWasMadeIsTooOld) {
  ReplayGuard guard(1024, kStart);
  for (std::int64_t s = 0; s <= ReplayGuard::kLifetime; ++s) EXPECT_EQ(guard.admit(hello(1, 1), kStart + s), Verdict::kTooSoon);
  EXPECT_EQ(guard.admit(hello(1, 1), kStart + ReplayGuard::kLifetime + 1), Verdict::kFresh);
}

TEST(ReplayGuard, TakesNothingAfterTheClockWasSetBackUntilItHasCaughtUp) {
  ReplayGuard guard(1024, kStart);
  EXPECT_EQ(guard.admit(hello(1, 1), kLater), Verdict::kFresh);
  EXPECT_EQ(guard.admit(hello(1, 1), kLater - ReplayGuard::kStepBack), Verdict::kReplayed);
  EXPECT_EQ(guard.admit(hello(1, 2), kLater - ReplayGuard::kStepBack), Verdict::kFresh) << "a little is nothing";
  EXPECT_EQ(guard.admit(hello(1, 3), kLater - ReplayGuard::kStepBack - 1), Verdict::kTooSoon);
  EXPECT_EQ(guard.admit(hello(1, 3), kLater - 100), Verdict::kTooSoon);
  EXPECT_EQ(guard.admit(hello(1, 3), kLater), Verdict::kFresh);
}

TEST(ReplayGuard, OldEntriesAreForgottenHoweverOftenTheirSecondsWrap) {
  ReplayGuard guard(8, kStart);
  for (std::uint64_t n = 1; n <= 8; ++n) ASSERT_EQ(guard.admit(hello(0, n), kLater), Verdict::kFresh);
  for (const std::int64_t later : {100, 30'000, 40'000, 60'000, 70'000, 200'000}) {
    EXPECT_EQ(guard.admit(hello(0, 100 + static_cast<std::uint64_t>(later)), kLater + later), Verdict::kFresh) << later;
  }
}

TEST(ReplayGuard, OfWorkersThatSeeTheSameAtOnceNoTwoTakeIt) {
  constexpr std::size_t kHellos = 20'000, kBlock = 50, kBlocksASecond = 10;
  constexpr std::ptrdiff_t kWorkers = 4;
  // Full enough that places are found, lost and found again.
  ReplayGuard guard(8192, kStart);
  std::mt19937_64 random(1);
  std::vector<Fingerprint> hellos(kHellos);
  for (Fingerprint& h : hellos) h = {random(), random()};
  std::vector<std::atomic<int>> taken(kHellos);
  std::barrier together(kWorkers);
  std::vector<std::thread> workers;
  for (std::ptrdiff_t w = 0; w < kWorkers; ++w) {
    workers.emplace_back([&, w] {
      for (std::size_t block = 0; block < kHellos / kBlock; ++block) {
        together.arrive_and_wait();
        // Their clocks tick at different moments, so what one takes for free another does not.
        const std::int64_t now = kLater + static_cast<std::int64_t>(block / kBlocksASecond) + w % 2;
        for (std::size_t i = block * kBlock; i < (block + 1) * kBlock; ++i) {
          if (guard.admit(hellos[i], now) == Verdict::kFresh) taken[i].fetch_add(1);
        }
      }
    });
  }
  for (std::thread& t : workers) t.join();
  std::size_t fresh = 0;
  for (const std::atomic<int>& times : taken) {
    EXPECT_LE(times.load(), 1);
    fresh += static_cast<std::size_t>(times.load());
  }
  EXPECT_GT(fresh, kHellos / 2);
}

}  // namespace
}  // namespace sluice::l7::tls
