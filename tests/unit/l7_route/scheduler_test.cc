// SPDX-License-Identifier: Apache-2.0
#include "l7/upstream/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

namespace sluice::l7::route::test {
std::uint64_t allocations();  // Of this thread so far.
}

namespace sluice::l7::upstream {
namespace {

/// A group whose member i has slot 100 + i.
ServerGroup group_of(std::vector<std::uint16_t> weights,
                     Scheduler scheduler = Scheduler::kWeightedRoundRobin) {
  ServerGroup out;
  out.scheduler = scheduler;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    Member m;
    m.weight = weights[i];
    m.slot = {static_cast<std::uint32_t>(100 + i)};
    out.members.push_back(m);
  }
  return out;
}

class SchedulerTest : public testing::Test {
 protected:
  std::string picks(Picker& picker, const ServerGroup& group, int n,
                    std::span<const BackendSlot> tried = {}) {
    std::string out;
    for (int i = 0; i < n; ++i) {
      const auto m = picker.pick(group, backends_, tried);
      out += m ? static_cast<char>('a' + *m) : '-';
    }
    return out;
  }
  static long count(const std::string& text, char c) { return std::count(text.begin(), text.end(), c); }
  void down(std::uint32_t slot) { backends_.set_health({slot}, BackendTable::Health::kDown); }
  void up(std::uint32_t slot) { backends_.set_health({slot}, BackendTable::Health::kUp); }
  void load(std::uint32_t slot, std::uint64_t n, std::uint32_t worker = 0) {
    backends_.at(BackendSlot{slot}, WorkerId{worker}).active.add(n);
  }
  BackendTable backends_{2};
};

TEST_F(SchedulerTest, EqualWeightsTakeTurns) {
  Picker picker(1);
  const ServerGroup g = group_of({100, 100, 100});
  const std::string out = picks(picker, g, 30);
  for (int round = 0; round < 10; ++round) {
    std::string turn = out.substr(static_cast<std::size_t>(round) * 3, 3);
    std::sort(turn.begin(), turn.end());
    EXPECT_EQ(turn, "abc") << out;
  }
}

TEST_F(SchedulerTest, WeightsGiveTheShareAndTheTurnsAreSpread) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Picker picker(seed);
    const ServerGroup g = group_of({5, 1, 1});
    picks(picker, g, 7);
    const std::string out = picks(picker, g, 70);
    EXPECT_EQ(count(out, 'a'), 50) << out;
    EXPECT_EQ(count(out, 'b'), 10) << out;
    EXPECT_EQ(out.find("aaaaaa"), std::string::npos) << out;
  }
}

TEST_F(SchedulerTest, WeightZeroGetsNothing) {
  for (const Scheduler s : {Scheduler::kWeightedRoundRobin, Scheduler::kLeastConnections}) {
    Picker picker;
    EXPECT_EQ(count(picks(picker, group_of({0, 3, 0}, s), 10), 'b'), 10);
    EXPECT_EQ(picks(picker, group_of({0, 0}, s), 2), "--");
  }
}

TEST_F(SchedulerTest, NobodyLeftIsNone) {
  for (const Scheduler s : {Scheduler::kWeightedRoundRobin, Scheduler::kLeastConnections}) {
    for (const std::size_t n : {std::size_t{0}, std::size_t{2}, Picker::kExactScan + 4}) {
      Picker picker;
      const ServerGroup g = group_of(std::vector<std::uint16_t>(n, 100), s);
      for (std::uint32_t i = 0; i < n; ++i) down(100 + i);
      EXPECT_EQ(picker.pick(g, backends_), std::nullopt) << n;
      for (std::uint32_t i = 0; i < n; ++i) up(100 + i);
    }
  }
}

TEST_F(SchedulerTest, MembersThatAreDownAreLeftOutAndComeBack) {
  Picker picker(7);
  const ServerGroup g = group_of({100, 100, 100});
  down(101);
  const std::string out = picks(picker, g, 20);
  EXPECT_EQ(count(out, 'b'), 0);
  EXPECT_EQ(count(out, 'a'), 10);
  up(101);
  const std::string back = picks(picker, g, 30);
  EXPECT_NEAR(static_cast<double>(count(back, 'b')), 10, 1) << back;
}

TEST_F(SchedulerTest, TriedMembersAreNotPickedAgain) {
  for (const std::size_t n : {std::size_t{3}, Picker::kExactScan + 4}) {
    for (const Scheduler s : {Scheduler::kWeightedRoundRobin, Scheduler::kLeastConnections}) {
      Picker picker(3);
      const ServerGroup g = group_of(std::vector<std::uint16_t>(n, 100), s);
      std::vector<BackendSlot> tried;
      for (std::size_t i = 0; i < n; ++i) {
        const auto m = picker.pick(g, backends_, tried);
        ASSERT_TRUE(m);
        ASSERT_EQ(std::count(tried.begin(), tried.end(), g.members[*m].slot), 0);
        tried.push_back(g.members[*m].slot);
      }
      EXPECT_EQ(picker.pick(g, backends_, tried), std::nullopt);
    }
  }
}

TEST_F(SchedulerTest, ARuleUpdateWithTheSameMembersDoesNotRestartTheRotation) {
  const ServerGroup g = group_of({100, 100, 100, 100});
  Picker steady(5), updated(5);
  const std::string expected = picks(steady, g, 12);
  std::string out;
  for (int i = 0; i < 12; ++i) {
    const ServerGroup copy = g;  // A new snapshot for each request.
    out += picks(updated, copy, 1);
  }
  EXPECT_EQ(out, expected);
}

TEST_F(SchedulerTest, MembersThatComeOrGoLeaveTheOthersTheirShare) {
  Picker picker(9);
  ServerGroup g = group_of({100, 100, 100, 100});
  for (int change = 0; change < 200; ++change) {
    picks(picker, g, 1 + change % 5);
    if (change % 2 == 0) {
      g.members.erase(g.members.begin() + change % static_cast<int>(g.members.size()));
    } else {
      Member m;
      m.slot = {static_cast<std::uint32_t>(1000 + change)};
      g.members.push_back(m);
    }
  }
  const std::string out = picks(picker, g, 40);
  for (char c = 'a'; c < 'e'; ++c) EXPECT_NEAR(static_cast<double>(count(out, c)), 10, 2) << out;
}

TEST_F(SchedulerTest, AChangedWeightCountsAtOnce) {
  Picker picker(2);
  ServerGroup g = group_of({100, 100});
  picks(picker, g, 10);
  g.members[0].weight = 300;
  EXPECT_NEAR(static_cast<double>(count(picks(picker, g, 40), 'a')), 30, 1);
}

TEST_F(SchedulerTest, WorkersDoNotAllBeginWithTheSameMember) {
  const ServerGroup g = group_of({100, 100, 100, 100});
  std::map<char, int> first;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    Picker picker(seed * 0x9e3779b97f4a7c15ull);
    ++first[picks(picker, g, 1)[0]];
  }
  EXPECT_EQ(first.size(), 4u);
}

TEST_F(SchedulerTest, LeastConnectionsTakesTheLeastLoadedOverAllWorkers) {
  Picker picker;
  const ServerGroup g = group_of({100, 100, 100}, Scheduler::kLeastConnections);
  load(100, 2, 0);
  load(101, 1, 0);
  load(101, 3, 1);
  load(102, 3, 1);
  EXPECT_EQ(picks(picker, g, 1), "a");
  load(100, 2, 1);
  EXPECT_EQ(picks(picker, g, 1), "c");
}

TEST_F(SchedulerTest, LeastConnectionsWeighsTheLoad) {
  Picker picker;
  const ServerGroup g = group_of({100, 300}, Scheduler::kLeastConnections);
  load(100, 2);
  load(101, 5);
  EXPECT_EQ(picks(picker, g, 1), "b");
  load(101, 2);
  EXPECT_EQ(picks(picker, g, 1), "a");
}

TEST_F(SchedulerTest, LeastConnectionsWithoutLoadTakesWeightedTurns) {
  Picker picker;
  const ServerGroup g = group_of({100, 300}, Scheduler::kLeastConnections);
  picks(picker, g, 4);
  EXPECT_EQ(count(picks(picker, g, 40), 'b'), 30);
}

TEST_F(SchedulerTest, LeastConnectionsOfManyKeepsTheLoadEven) {
  Picker picker(11);
  const std::size_t n = 100;
  const ServerGroup g = group_of(std::vector<std::uint16_t>(n, 100), Scheduler::kLeastConnections);
  for (int i = 0; i < 2000; ++i) {
    const auto m = picker.pick(g, backends_);
    ASSERT_TRUE(m);
    load(100 + *m, 1);
  }
  for (std::uint32_t i = 0; i < n; ++i) EXPECT_NEAR(static_cast<double>(backends_.active({100 + i})), 20, 5);
}

TEST_F(SchedulerTest, PickingDoesNotAllocate) {
  for (const Scheduler s : {Scheduler::kWeightedRoundRobin, Scheduler::kLeastConnections}) {
    for (const std::size_t n : {std::size_t{3}, Picker::kExactScan + 4}) {
      Picker picker;
      const ServerGroup g = group_of(std::vector<std::uint16_t>(n, 100), s);
      picker.pick(g, backends_);
      const std::uint64_t before = route::test::allocations();
      for (int i = 0; i < 100; ++i) picker.pick(g, backends_);
      EXPECT_EQ(route::test::allocations(), before);
    }
  }
}

TEST(PickGroup, InProportionToTheWeightsAndNeverWeightZero) {
  const std::vector<WeightedGroup> groups = {{{1}, 90}, {{2}, 0}, {{3}, 10}};
  std::map<std::uint32_t, int> got;
  for (std::uint64_t r = 0; r < 1000; ++r) ++got[pick_group(groups, r)->group.value];
  EXPECT_EQ(got[1], 900);
  EXPECT_EQ(got[3], 100);
  EXPECT_EQ(got.count(2), 0u);
}

TEST(PickGroup, NoneWithoutWeight) {
  const std::vector<WeightedGroup> groups = {{{1}, 0}};
  EXPECT_EQ(pick_group(groups, 5), nullptr);
  EXPECT_EQ(pick_group({}, 5), nullptr);
}

}  // namespace
}  // namespace sluice::l7::upstream
