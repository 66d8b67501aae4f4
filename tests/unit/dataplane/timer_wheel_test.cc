// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{Duration(123456789)};

/// A timer whose callback is a closure.
struct Alarm {
  std::function<void(Instant)> run;
  Timer timer{[](void* self, Instant now) { static_cast<Alarm*>(self)->run(now); }, this};
};

TEST(TimerWheel, FiresNotEarlyAndAtMostOneTickLate) {
  TimerWheel wheel(kStart);
  Instant fired = kNever;
  Alarm a{[&](Instant now) { fired = now; }};
  const Instant deadline = kStart + 3700us;
  wheel.arm(a.timer, deadline);
  EXPECT_EQ(wheel.armed_count(), 1u);
  for (Instant now = kStart; now < kStart + 10ms && fired == kNever; now += 10us) wheel.advance(now);
  EXPECT_GE(fired, deadline);
  EXPECT_LE(fired, deadline + TimerWheel::kTick);
  EXPECT_FALSE(a.timer.armed());
  EXPECT_EQ(wheel.armed_count(), 0u);
  EXPECT_EQ(wheel.next_deadline(), kNever);
}

/// The model keeps the deadlines as they are; the wheel must agree with it whatever the distances and the
/// steps.
TEST(TimerWheel, AgreesWithASortedModelOverRandomDeadlinesAndSteps) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 20; ++round) {
    TimerWheel wheel(kStart);
    struct Entry {
      Instant deadline = kNever;
      Instant fired = kNever;
      std::unique_ptr<Alarm> alarm;
    };
    std::vector<Entry> entries(200);
    for (Entry& e : entries) {
      e.alarm = std::make_unique<Alarm>();
      e.alarm->run = [&e](Instant now) { e.fired = now; };
    }
    Instant now = kStart, last = kStart;
    const auto distance = [&] {
      return Duration(static_cast<std::int64_t>(random() >> (20 + random() % 40)));
    };
    for (int step = 0; step < 2000; ++step) {
      Entry& e = entries[random() % entries.size()];
      if (random() % 4 == 0) {
        e.alarm->timer.disarm();
        e.deadline = kNever;
      } else {
        e.deadline = now + distance();
        wheel.arm(e.alarm->timer, e.deadline);
      }
      e.fired = kNever;
      last = now;
      now += random() % 8 == 0 ? distance() / 64 : Duration(static_cast<std::int64_t>(random() % 2'000'000));
      const Instant promised = wheel.next_deadline();
      wheel.advance(now);
      for (Entry& x : entries) {
        if (x.fired != kNever) {
          ASSERT_GE(x.fired, x.deadline) << "early";
          // The deadline lay less than a tick before the advance that did not fire it, or later.
          ASSERT_GT(x.deadline, last - TimerWheel::kTick) << "late";
          ASSERT_GE(now, promised);
          x.deadline = x.fired = kNever;
        } else if (x.deadline != kNever) {
          ASSERT_TRUE(x.alarm->timer.armed());
          ASSERT_GT(x.deadline, now - TimerWheel::kTick) << "overdue by a tick and not fired";
          ASSERT_LT(wheel.next_deadline(), x.deadline + TimerWheel::kTick);
        }
      }
    }
  }
}

TEST(TimerWheel, SleepingUntilNextDeadlineAlwaysMakesProgress) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Alarm a{[&](Instant) { ++fired; }};
  for (const Duration d : std::initializer_list<Duration>{1ns, 31ms, 32ms, 33ms, 5s, 20min, 40h, 1000h}) {
    const Instant begin = wheel.next_deadline() == kNever ? kStart : kStart;
    wheel.arm(a.timer, begin + 2000h * (fired + 1) + d);
    const int before = fired;
    int wakeups = 0;
    while (fired == before) {
      ASSERT_LT(++wakeups, 200);
      wheel.advance(wheel.next_deadline());
    }
  }
  EXPECT_EQ(fired, 8);
}

TEST(TimerWheel, ADeadlineInThePastFiresWithTheNextTick) {
  TimerWheel wheel(kStart);
  wheel.advance(kStart + 1s);
  int fired = 0;
  Alarm a{[&](Instant) { ++fired; }};
  wheel.arm(a.timer, kStart);
  wheel.advance(kStart + 1s + TimerWheel::kTick);
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheel, ACallbackMayArmItsOwnTimerAgain) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Alarm a;
  a.run = [&](Instant now) {
    ++fired;
    wheel.arm(a.timer, now + 1ms);
  };
  wheel.arm(a.timer, kStart + 1ms);
  for (Instant now = kStart; now <= kStart + 10ms; now += 500us) wheel.advance(now);
  EXPECT_EQ(fired, 10);
}

TEST(TimerWheel, RearmingAtOnceDoesNotLoopForever) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Alarm a;
  a.run = [&](Instant now) {
    ++fired;
    wheel.arm(a.timer, now);
  };
  wheel.arm(a.timer, kStart);
  wheel.advance(kStart + 5ms);
  EXPECT_GE(fired, 1);
  EXPECT_LE(fired, 10);
}

TEST(TimerWheel, ACallbackMayDisarmAndDestroyOthersOfTheSameTick) {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Alarm>> alarms;
  int fired = 0;
  for (int i = 0; i < 8; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    alarms.back()->run = [&, i](Instant) {
      ++fired;
      // All others go, one way or the other.
      for (int k = 0; k < 8; ++k) {
        if (k == i) continue;
        if (k % 2 == 0)
          alarms[static_cast<std::size_t>(k)].reset();
        else
          alarms[static_cast<std::size_t>(k)]->timer.disarm();
      }
    };
    wheel.arm(alarms.back()->timer, kStart + 5ms);
  }
  wheel.advance(kStart + 6ms);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(wheel.armed_count(), 0u);
}

TEST(TimerWheel, ACallbackMayDestroyTheObjectThatOwnsItsTimer) {
  TimerWheel wheel(kStart);
  auto alarm = std::make_unique<Alarm>();
  alarm->run = [&](Instant) {
    auto dying = std::move(alarm->run);  // the closure outlives its own call
    alarm.reset();
  };
  wheel.arm(alarm->timer, kStart + 1ms);
  wheel.advance(kStart + 2ms);
  EXPECT_EQ(alarm, nullptr);
}

TEST(TimerWheel, ATimerMayOutliveItsWheel) {
  Alarm a{[](Instant) {}};
  {
    TimerWheel wheel(kStart);
    wheel.arm(a.timer, kStart + 1ms);
  }
  EXPECT_FALSE(a.timer.armed());
}

TEST(TimerWheel, NeverNeverFires) {
  TimerWheel wheel(kStart);
  int fired = 0;
  Alarm a{[&](Instant) { ++fired; }};
  wheel.arm(a.timer, kNever);
  wheel.advance(kStart + 100000h);
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(a.timer.armed());
}

}  // namespace
}  // namespace sluice
