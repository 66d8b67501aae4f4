// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "dataplane/port/port.h"
#include "dataplane/worker/catch_up.h"
#include "dataplane/worker/idle.h"
#include "dataplane/worker/owner.h"

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(FlowOwner, TheLocalPortsAreDividedWithoutGapOrOverlapAndEachBelongsToItsWorker) {
  for (const std::uint32_t workers : {1u, 2u, 3u, 7u, 64u}) {
    const FlowOwner owner(workers, {16384, 65535}, 1);
    std::uint32_t next = 16384;
    for (std::uint32_t w = 0; w < workers; ++w) {
      const PortRange r = owner.ports_of(WorkerId{w});
      EXPECT_EQ(r.first, next);
      EXPECT_GE(r.last, r.first);
      next = r.last + 1u;
      for (const std::uint16_t port : {r.first, r.last}) {
        EXPECT_EQ(owner({{IpAddr::v4(1), port}, {IpAddr::v4(2), 80}}, true), WorkerId{w})
            << workers << ' ' << port;
      }
    }
    EXPECT_EQ(next, 65536u);
  }
}

TEST(FlowOwner, ClientsAreSpreadByTheirAddressAndPortOnly) {
  const FlowOwner owner(4, {16384, 65535}, 99);
  std::array<int, 4> hits{};
  for (std::uint16_t port = 1024; port < 5024; ++port) {
    const Endpoint client{IpAddr::v4(0x0a000002), port};
    const WorkerId w = owner({{IpAddr::v4(0xc0000201), 443}, client}, false);
    ++hits[w.value];
    EXPECT_EQ(owner({{IpAddr::v4(0xc0000299), 20000}, client}, false), w);
  }
  for (const int h : hits) EXPECT_NEAR(h, 1000, 150);
}

TEST(IdleGovernor, BusyNeverSleeps) {
  IdleGovernor idle(IdlePolicy::kBusy);
  for (int i = 0; i < 10000; ++i) EXPECT_EQ(idle.after_loop(false, Instant{}, kNever), Duration::zero());
}

TEST(IdleGovernor, AdaptiveSleepsLongerAndLongerUntilWorkComes) {
  IdleGovernor idle(IdlePolicy::kAdaptive);
  const Instant now{};
  for (unsigned i = 1; i < IdleGovernor::kEmptyLoops; ++i)
    EXPECT_EQ(idle.after_loop(false, now, kNever), Duration::zero());
  Duration last = Duration::zero();
  for (int i = 0; i < 10; ++i) {
    const Duration d = idle.after_loop(false, now, kNever);
    EXPECT_GE(d, last);
    last = d;
  }
  EXPECT_EQ(last, IdleGovernor::kLongest);
  EXPECT_EQ(idle.after_loop(false, now, now + 7us), Duration(7us)) << "never past a timer";
  EXPECT_EQ(idle.after_loop(false, now, now - 7us), Duration::zero());
  EXPECT_EQ(idle.after_loop(true, now, kNever), Duration::zero());
  EXPECT_EQ(idle.after_loop(false, now, kNever), Duration::zero());
}

TEST(CatchUp, AfterAStallTimersWaitForWhatHasArrivedButNotForLong) {
  CatchUp catch_up;
  Instant now = Instant{} + 1h;
  catch_up.timers_may_run(false, now);  // the first is as after a stall
  catch_up.timers_may_run(false, now += CatchUp::kStall);
  EXPECT_TRUE(catch_up.timers_may_run(true, now += 1ms)) << "load is no stall";
  now += CatchUp::kStall + 1ms;
  EXPECT_FALSE(catch_up.timers_may_run(true, now));
  EXPECT_FALSE(catch_up.timers_may_run(true, now += 1ms));
  EXPECT_TRUE(catch_up.timers_may_run(false, now += 1ms)) << "all is read";
  EXPECT_FALSE(catch_up.timers_may_run(true, now += 1ms));
  EXPECT_TRUE(catch_up.timers_may_run(true, now += CatchUp::kLongest - 2ms));
  EXPECT_TRUE(catch_up.timers_may_run(true, now += 1ms));
}

}  // namespace
}  // namespace sluice
