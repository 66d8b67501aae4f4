// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/seq_num.h"

#include <gtest/gtest.h>

#include <unordered_set>

#include "l4/stream.h"
#include "l4/tcp/port_selector.h"
#include "l4/tcp/secrets.h"
#include "l4/tcp/siphash.h"

namespace sluice::l4::tcp {
namespace {

using namespace std::chrono_literals;

TEST(SeqNum, order_survives_the_wrap) {
  const SeqNum before(0xfffffffe), after = before + 4;
  EXPECT_EQ(after.value(), 2u);
  EXPECT_LT(before, after);
  EXPECT_GT(after, before);
  EXPECT_LE(before, before);
  EXPECT_EQ(after - before, 4);
  EXPECT_EQ(before - after, -4);
  EXPECT_EQ(distance(before, after), 4u);
  EXPECT_EQ(distance(after, before), 0u);
  EXPECT_EQ(max(before, after), after);
  EXPECT_EQ(min(before, after), before);
}

TEST(Secrets, siphash_agrees_with_the_papers_reference_vectors) {
  // Key 00..0f; messages of 0, 8 and 16 bytes 00, 01, 02...
  const std::uint64_t k0 = 0x0706050403020100, k1 = 0x0f0e0d0c0b0a0908;
  const std::array<std::uint64_t, 2> words{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  EXPECT_EQ(siphash(k0, k1, {}), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(siphash(k0, k1, std::span(words).first(1)), 0x93f5f5799a932462u);
  EXPECT_EQ(siphash(k0, k1, words), 0x3f2acc7f57c29bdbu);
}

TEST(Secrets, isn_grows_with_time_for_one_flow_and_says_nothing_about_another) {
  const Secrets s(1, 2);
  const FlowKey a{{IpAddr::v4(1), 80}, {IpAddr::v4(2), 1000}}, b{{IpAddr::v4(1), 80}, {IpAddr::v4(2), 1001}};
  const Instant t{1h};
  EXPECT_EQ(s.isn(a, t + 4ms) - s.isn(a, t), 1000);
  EXPECT_NE(s.isn(b, t) - s.isn(a, t), 1);
  EXPECT_NE(s.isn(a, t), Secrets(1, 3).isn(a, t));
  EXPECT_EQ(s.timestamp_offset(a), s.timestamp_offset(a));
  EXPECT_NE(s.timestamp_offset(a), s.timestamp_offset(b));
}

TEST(PortSelector, goes_through_the_whole_range_without_repeating) {
  const Secrets s(1, 2);
  PortSelector p({40000, 40099}, s);
  const Endpoint remote{IpAddr::v4(7), 80};
  std::unordered_set<std::uint16_t> seen;
  for (int i = 0; i < 100; ++i) {
    const auto port = p.choose(IpAddr::v4(1), remote, [](std::uint16_t) { return true; });
    ASSERT_TRUE(port);
    EXPECT_GE(*port, 40000);
    EXPECT_LE(*port, 40099);
    seen.insert(*port);
  }
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_FALSE(p.choose(IpAddr::v4(1), remote, [](std::uint16_t) { return false; }));
}

TEST(PortSelector, an_empty_range_gives_nothing) {
  const Secrets s(1, 2);
  PortSelector p({0, 0}, s);
  EXPECT_FALSE(p.choose(IpAddr::v4(1), {IpAddr::v4(7), 80}, [](std::uint16_t) { return true; }));
}

TEST(Stream, close_reasons_have_names) {
  EXPECT_EQ(to_string(CloseReason::kPeerReset), "peer_reset");
  EXPECT_EQ(to_string(CloseReason::kProtocolError), "protocol_error");
}

}  // namespace
}  // namespace sluice::l4::tcp
