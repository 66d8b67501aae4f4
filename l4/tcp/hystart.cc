// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/hystart.h"

#include <algorithm>

namespace sluice::l4::tcp {
namespace {

// RFC 9406, 4.3.
constexpr std::uint32_t kMinThreshold = 4000, kMaxThreshold = 16000;  // us
constexpr std::uint32_t kRttDivisor = 8;
constexpr std::uint8_t kRttSamples = 8;
constexpr std::uint32_t kCssGrowthDivisor = 4;
constexpr std::uint8_t kCssRounds = 5;

}  // namespace

void HyStart::end_round(CongestionWindow& w, const AckEvent& e) {
  last_round_min_ = round_min_;
  round_min_ = kNone;
  samples_ = 0;
  window_end_ = e.nxt;
  if (css_ && ++css_rounds_ >= kCssRounds) w.ssthresh = w.cwnd;
}

void HyStart::on_ack(CongestionWindow& w, const AckEvent& e) {
  if (!started_) {
    started_ = true;
    window_end_ = e.nxt;
  }
  if (e.rtt >= Duration::zero()) {
    const auto us = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(e.rtt / std::chrono::microseconds(1), 1, 60'000'000));
    round_min_ = std::min(round_min_, us);
    samples_ += samples_ < kRttSamples;
  }
  const std::uint32_t growth = std::min(e.bytes, e.limit * w.mss);
  w.cwnd += css_ ? growth / kCssGrowthDivisor : growth;
  if (samples_ >= kRttSamples && round_min_ != kNone) {
    if (!css_ && last_round_min_ != kNone) {
      const std::uint32_t threshold = std::clamp(last_round_min_ / kRttDivisor, kMinThreshold, kMaxThreshold);
      if (round_min_ >= last_round_min_ + threshold) {
        css_ = true;
        css_rounds_ = 0;
        css_baseline_ = round_min_;
      }
    } else if (css_ && round_min_ < css_baseline_) {
      css_ = false;
    }
  }
  if (e.una >= window_end_) end_round(w, e);
}

}  // namespace sluice::l4::tcp
