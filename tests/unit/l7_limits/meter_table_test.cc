// SPDX-License-Identifier: Apache-2.0
#include "l7/limits/meter_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sluice::l7::limits {
namespace {

TEST(MeterTable, ActiveIsTheSumOverWorkers) {
  MeterTable table(3);
  const MeterSlot slot{40'000};
  table.reset(slot);
  table.at(slot, WorkerId{0}).active.add(2);
  table.at(slot, WorkerId{2}).active.add(5);
  table.at(slot, WorkerId{2}).active.sub(1);
  EXPECT_EQ(table.active(slot), 6u);
  EXPECT_EQ(table.active(MeterSlot{40'001}), 0u) << "a neighbour";
}

TEST(MeterTable, ANewOwnerOfASlotStartsAnew) {
  MeterTable table(2);
  const MeterSlot slot{7};
  const Instant now{std::chrono::hours(1)};
  auto& row = table.at(slot, WorkerId{1});
  row.connections.add(3);
  row.requests.add(4);
  for (Counter& c : row.refused) c.add(5);
  while (table.rates(slot).requests.take(row.request_tokens, 1000, 2, now)) continue;
  ASSERT_FALSE(table.rates(slot).requests.has(row.request_tokens, 1000, now));
  row.connection_tokens.tokens = 9;

  table.reset(slot);
  EXPECT_EQ(row.connections.get() + row.requests.get(), 0u);
  for (const Counter& c : row.refused) EXPECT_EQ(c.get(), 0u);
  EXPECT_EQ(row.connection_tokens.tokens, 0u);
  EXPECT_TRUE(table.rates(slot).requests.has(row.request_tokens, 1000, now));
}

TEST(MeterTable, TheFirstAndTheLastSlotCanBeUsed) {
  MeterTable table(64);
  for (const MeterSlot s : {MeterSlot{0}, MeterSlot{MeterTable::kCapacity - 1}}) {
    table.reset(s);
    table.at(s, WorkerId{63}).active.add();
    EXPECT_EQ(table.active(s), 1u);
  }
}

TEST(MeterTable, EachRefusalHasItsName) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < kRefusals; ++i) names.emplace(to_string(static_cast<Refusal>(i)));
  EXPECT_EQ(names.size(), kRefusals);
}

}  // namespace
}  // namespace sluice::l7::limits
