// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/drop.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace sluice {
namespace {

TEST(DropReason, EveryReasonHasItsOwnName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    const auto name = drop_reason_name(static_cast<DropReason>(i));
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos)
        << name;
  }
  EXPECT_EQ(drop_reason_name(DropReason::kTcpChecksum), "tcp_checksum");
  EXPECT_EQ(drop_reason_name(DropReason::kLinkDown), "link_down");
}

TEST(DropCounters, ShowOneSeriesAReasonWithTheLabelsGiven) {
  struct Sink : MetricSink {
    void counter(std::string_view name, std::string_view, std::string_view labels,
                 std::uint64_t value) override {
      EXPECT_EQ(name, "sluice_drops_total");
      seen[std::string(labels)] = value;
    }
    void gauge(std::string_view, std::string_view, std::string_view, double) override {}
    std::map<std::string, std::uint64_t> seen;
  } sink;
  DropCounters drops;
  drops.add(DropReason::kNoRoute, 3);
  drops.visit(sink, "worker=\"1\"");
  EXPECT_EQ(sink.seen.size(), kDropReasons);
  EXPECT_EQ(sink.seen.at("worker=\"1\",reason=\"no_route\""), 3u);
  EXPECT_EQ(sink.seen.at("worker=\"1\",reason=\"too_big\""), 0u);
}

}  // namespace
}  // namespace sluice
