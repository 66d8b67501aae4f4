// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/flow_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "l4/tcp/socket.h"

namespace sluice::l4::tcp {
namespace {

struct Item {
  FlowKey flow;
  const FlowKey& key() const { return flow; }
};

FlowKey flow_of(std::uint32_t n) {
  return {{IpAddr::v4(0x0a000001), 80},
          {IpAddr::v4(0x0b000000 + n / 1000), static_cast<std::uint16_t>(n % 1000)}};
}

TEST(FlowTable, finds_what_is_in_it_and_nothing_else_through_growth_and_removal) {
  std::mt19937 random(7);
  FlowTable<Item> table(42, 16);
  std::unordered_map<std::uint32_t, std::unique_ptr<Item>> model;
  for (int i = 0; i < 20000; ++i) {
    const std::uint32_t n = random() % 3000;
    if (auto it = model.find(n); it != model.end()) {
      ASSERT_EQ(table.find(flow_of(n)), it->second.get());
      table.erase(*it->second);
      model.erase(it);
    } else {
      ASSERT_EQ(table.find(flow_of(n)), nullptr);
      auto item = std::make_unique<Item>(Item{flow_of(n)});
      table.insert(*item);
      model.emplace(n, std::move(item));
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (const auto& [n, item] : model) ASSERT_EQ(table.find(flow_of(n)), item.get());
}

TEST(FlowTable, growth_is_spread_over_the_insertions_and_removals_that_follow) {
  constexpr std::uint32_t kSlots = 1 << 12, kFull = kSlots / 4 * 3;
  FlowTable<Item> table(42, kSlots);
  std::vector<Item> items(2 * kFull);
  for (std::uint32_t n = 0; n < items.size(); ++n) items[n].flow = flow_of(n);
  for (std::uint32_t n = 0; n < kFull; ++n) table.insert(items[n]);
  ASSERT_FALSE(table.growing());
  std::uint32_t n = kFull;
  table.insert(items[n++]);
  ASSERT_TRUE(table.growing());
  std::uint32_t calls = 1;
  for (std::uint32_t gone = 0; table.growing(); ++calls) {
    if (calls % 3 == 0) {
      table.erase(items[gone]);
      ASSERT_EQ(table.find(items[gone++].flow), nullptr);
    } else {
      table.insert(items[n++]);
    }
    for (std::uint32_t i = gone; i < n; i += 7) ASSERT_EQ(table.find(items[i].flow), &items[i]);
    ASSERT_LT(n, items.size());
  }
  EXPECT_GT(calls, 100u) << "all at once is a pause of many milliseconds for a million";
  EXPECT_LT(calls, kFull / 2) << "before the next growth";
  std::size_t count = 0;
  table.for_each([&](Item&) { ++count; });
  EXPECT_EQ(count, table.size());
}

TEST(Memory, an_idle_connection_takes_less_than_800_bytes) {
  // One million with their HTTP sessions in less than 1 GiB (docs/tcp.md), the table's 2 x 16 bytes included.
  EXPECT_LE(sizeof(Socket) + 32, 792u);
}

}  // namespace
}  // namespace sluice::l4::tcp
