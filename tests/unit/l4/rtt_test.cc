// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/rtt.h"

#include <gtest/gtest.h>

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

TEST(Rtt, after_a_lost_syn_and_without_a_sample_the_timeout_is_three_seconds) {
  RttEstimator r;
  r.back_off();
  r.assume_three_seconds();
  EXPECT_EQ(r.rto(200ms, 60s), 3s);
  r.sample(100ms);
  EXPECT_EQ(r.rto(200ms, 60s), 300ms);
}

}  // namespace
}  // namespace sluice::l4::tcp
