// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/congestion.h"

#include <gtest/gtest.h>

#include "l4/tcp/prr.h"

namespace sluice::l4::tcp {
namespace {

using namespace std::chrono_literals;

/// One ACK a segment, `rtt` apart for each window.
template <class A>
void round_trip(A& cc, CongestionWindow& w, Instant& now, Duration rtt, std::uint32_t& una) {
  now += rtt;
  for (std::uint32_t left = w.cwnd / w.mss; left > 0; --left) {
    una += w.mss;
    cc.on_ack(w, {.bytes = w.mss,
                  .rtt = rtt,
                  .srtt = rtt,
                  .una = SeqNum(una),
                  .nxt = SeqNum(una + w.cwnd),
                  .now = now});
  }
}

TEST(Congestion, initial_window_is_that_of_rfc_6928) {
  EXPECT_EQ(initial_window(1000), 10000u);
  EXPECT_EQ(initial_window(1460), 14600u);
  EXPECT_EQ(initial_window(2000), 14600u);
  EXPECT_EQ(initial_window(9000), 18000u);
}

TEST(Congestion, newreno_doubles_in_slow_start_then_adds_a_segment_a_window) {
  NewReno cc;
  CongestionWindow w{.cwnd = 10000, .ssthresh = 20000, .mss = 1000};
  for (int i = 0; i < 10; ++i) cc.on_ack(w, {.bytes = 1000});
  EXPECT_EQ(w.cwnd, 20000u);
  for (int i = 0; i < 20; ++i) cc.on_ack(w, {.bytes = 1000});
  EXPECT_EQ(w.cwnd, 21000u);
  EXPECT_EQ(cc.on_loss(w, 18000), 9000u);
  EXPECT_EQ(cc.on_loss(w, 1000), 2000u);
}

TEST(Congestion, slow_start_grows_by_no_more_than_its_limit_for_one_ack) {
  for (const Algorithm a : {Algorithm::kNewReno, Algorithm::kCubic}) {
    CongestionControl::Pool pool(a);
    CongestionControl cc(pool);
    CongestionWindow w{.cwnd = 20000, .ssthresh = 1000000, .mss = 1000};
    cc.on_ack(w, {.bytes = 20000});
    EXPECT_EQ(w.cwnd, 28000u);
    cc.on_ack(w, {.bytes = 20000, .limit = 1});
    EXPECT_EQ(w.cwnd, 29000u);
  }
}

TEST(Cubic, keeps_seven_tenths_and_lets_go_of_more_when_the_maximum_falls) {
  Cubic cc;
  CongestionWindow w{.cwnd = 100000, .mss = 1000};
  EXPECT_EQ(cc.on_loss(w, 100000), 70000u);
  EXPECT_EQ(cc.on_loss(w, 1000), 2000u);
}

TEST(Cubic, comes_back_to_the_old_window_after_k_seconds_and_stays_there_a_while) {
  Cubic cc;
  CongestionWindow w{.cwnd = 1'000'000, .mss = 1000};
  w.ssthresh = w.cwnd = cc.on_loss(w, 1'000'000);
  EXPECT_EQ(w.cwnd, 700'000u);
  // K = cbrt(1000 * 0.3 / 0.4) = 9.09 s.
  Instant now(1s);
  std::uint32_t una = 0;
  const Instant start = now;
  while (now - start < 4500ms) round_trip(cc, w, now, 100ms, una);
  EXPECT_NEAR(w.cwnd, 962'000, 10'000);  // 0.4 * (4.6 - 9.09)^3 + 1000 = 964 segments
  while (now - start < 9s) round_trip(cc, w, now, 100ms, una);
  EXPECT_NEAR(w.cwnd, 1'000'000, 5'000);
  while (now - start < 14s) round_trip(cc, w, now, 100ms, una);
  EXPECT_GT(w.cwnd, 1'040'000u);  // beyond, ever faster
}

TEST(Cubic, is_no_slower_than_reno_on_short_paths) {
  Cubic cc;
  CongestionWindow w{.cwnd = 20'000, .mss = 1000};
  w.ssthresh = w.cwnd = cc.on_loss(w, 20'000);
  Instant now(1s);
  std::uint32_t una = 0;
  for (int i = 0; i < 20; ++i) round_trip(cc, w, now, 1ms, una);
  EXPECT_GE(w.cwnd, 20'000u);  // 20 rounds of about half a segment: the cubic alone would take 2.5 s
}

TEST(Cubic, time_in_which_the_window_was_not_in_use_does_not_count) {
  Cubic cc;
  CongestionWindow w{.cwnd = 1'000'000, .mss = 1000};
  w.ssthresh = w.cwnd = cc.on_loss(w, 1'000'000);
  Instant now(1s);
  std::uint32_t una = 0;
  for (int i = 0; i < 10; ++i) round_trip(cc, w, now, 100ms, una);
  const std::uint32_t before = w.cwnd;
  now += 1h;
  round_trip(cc, w, now, 100ms, una);
  EXPECT_LT(w.cwnd, before + 40'000);
}

TEST(Cubic, a_window_that_started_anew_does_not_leap_to_where_the_old_one_was) {
  Cubic cc;
  CongestionWindow w{.cwnd = 20'000, .mss = 1000};
  w.ssthresh = w.cwnd = cc.on_loss(w, 20'000);
  Instant now(1s);
  std::uint32_t una = 0;
  for (int i = 0; i < 200; ++i) round_trip(cc, w, now, 1ms, una);
  ASSERT_GT(w.cwnd, 100'000u);
  w.cwnd = 10'000;  // RFC 5681, 4.1
  while (w.cwnd < w.ssthresh) cc.on_ack(w, {.bytes = 1000, .srtt = 1ms, .now = now});
  cc.on_ack(w, {.bytes = 1000, .srtt = 1ms, .now = now});
  EXPECT_LE(w.cwnd, w.ssthresh + 1000);
}

TEST(HyStart, leaves_slow_start_five_rounds_after_the_round_trip_has_grown) {
  Cubic cc;
  CongestionWindow w{.cwnd = 16'000, .mss = 1000};
  Instant now(1s);
  std::uint32_t una = 0;
  for (int i = 0; i < 3; ++i) round_trip(cc, w, now, 40ms, una);
  EXPECT_EQ(w.ssthresh, UINT32_MAX);
  const std::uint32_t before = w.cwnd;
  for (int i = 0; i < 7; ++i) round_trip(cc, w, now, 50ms, una);
  EXPECT_LT(w.ssthresh, UINT32_MAX);
  EXPECT_LT(w.cwnd, 8 * before);
}

TEST(HyStart, goes_on_when_the_growth_was_a_whim) {
  Cubic cc;
  CongestionWindow w{.cwnd = 16'000, .mss = 1000};
  Instant now(1s);
  std::uint32_t una = 0;
  for (int i = 0; i < 3; ++i) round_trip(cc, w, now, 40ms, una);
  round_trip(cc, w, now, 50ms, una);
  const std::uint32_t before = w.cwnd;
  for (int i = 0; i < 3; ++i) round_trip(cc, w, now, 40ms, una);
  EXPECT_GT(w.cwnd, 5 * before);
  EXPECT_EQ(w.ssthresh, UINT32_MAX);
}

TEST(Prr, sends_in_proportion_while_the_pipe_is_above_ssthresh) {
  Prr prr;
  prr.begin(20000);
  EXPECT_EQ(prr.on_ack(1000, 19000, 10000, 1000, false), 20000u);  // the fast retransmit goes out anyhow
  prr.sent(1000);
  EXPECT_EQ(prr.on_ack(1000, 18000, 10000, 1000, false), 18000u);  // two delivered, one sent
  EXPECT_EQ(prr.on_ack(1000, 17000, 10000, 1000, false), 17500u);
}

TEST(Prr, below_ssthresh_it_sends_what_was_delivered_and_one_more_only_when_that_is_safe) {
  Prr prr;
  prr.begin(20000);
  prr.on_ack(1000, 3000, 10000, 1000, false);
  prr.sent(1000);
  EXPECT_EQ(prr.on_ack(1000, 3000, 10000, 1000, false), 4000u);
  prr.sent(1000);
  EXPECT_EQ(prr.on_ack(1000, 3000, 10000, 1000, true), 5000u);
  EXPECT_EQ(prr.on_ack(1000, 9500, 10000, 1000, true), 10000u);
}

}  // namespace
}  // namespace sluice::l4::tcp
