// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/rtt.h"

#include <gtest/gtest.h>

#include "l4/tcp/congestion.h"

namespace sluice::l4::tcp {
namespace {

using namespace std::chrono_literals;

TEST(Rtt, before_the_first_sample_the_timeout_is_a_second) {
  RttEstimator r;
  EXPECT_EQ(r.rto(200ms, 60s), 1s);
}

TEST(Rtt, follows_the_formulas_of_rfc_6298) {
  RttEstimator r;
  r.sample(100ms);
  EXPECT_EQ(r.srtt(), 100ms);
  EXPECT_EQ(r.rto(0ms, 60s), 300ms);  // 100 + 4 * 50
  r.sample(180ms);
  EXPECT_EQ(r.srtt(), 110ms);
  EXPECT_EQ(r.rto(0ms, 60s), 110ms + 4 * Duration(57500us));
}

TEST(Rtt, backs_off_to_the_bound_until_the_next_sample) {
  RttEstimator r;
  r.sample(100ms);
  for (int i = 0; i < 40; ++i) r.back_off();
  EXPECT_EQ(r.rto(200ms, 60s), 60s);
  r.sample(100ms);
  EXPECT_LT(r.rto(200ms, 60s), 1s);
}

TEST(Rtt, times_one_segment_and_only_while_it_was_sent_once) {
  RttEstimator r;
  r.start_timing(SeqNum(100), Instant(1s));
  EXPECT_LT(r.finish_timing(SeqNum(99), Instant(2s)), 0s);
  EXPECT_EQ(r.finish_timing(SeqNum(100), Instant(2s)), 1s);
  r.start_timing(SeqNum(200), Instant(3s));
  r.stop_timing();
  EXPECT_LT(r.finish_timing(SeqNum(200), Instant(4s)), 0s);
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
  for (int i = 0; i < 10; ++i) cc.on_ack(w, 1000, 10ms, {});
  EXPECT_EQ(w.cwnd, 20000u);
  for (int i = 0; i < 20; ++i) cc.on_ack(w, 1000, 10ms, {});
  EXPECT_EQ(w.cwnd, 21000u);
  EXPECT_EQ(cc.on_loss(w, 18000, {}), 9000u);
  EXPECT_EQ(cc.on_loss(w, 1000, {}), 2000u);
}

TEST(Congestion, one_acknowledgement_of_much_grows_slow_start_by_two_segments) {
  NewReno cc;
  CongestionWindow w{.cwnd = 10000, .ssthresh = 1000000, .mss = 1000};
  cc.on_ack(w, 10000, 10ms, {});
  EXPECT_EQ(w.cwnd, 12000u);
}

}  // namespace
}  // namespace sluice::l4::tcp
