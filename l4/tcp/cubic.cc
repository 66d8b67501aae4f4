// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/cubic.h"

#include <algorithm>
#include <cmath>

namespace sluice::l4::tcp {
namespace {

// RFC 9438, 4.1.2, 4.3 and 4.6.
constexpr float kC = 0.4F, kBeta = 0.7F;
constexpr float kAlpha = 3 * (1 - kBeta) / (1 + kBeta);

float seconds(Duration d) { return std::chrono::duration<float>(d).count(); }

}  // namespace

void Cubic::begin_epoch(const CongestionWindow& w, Instant now) {
  epoch_ = true;
  epoch_start_ = last_ack_ = now;
  const float cwnd = static_cast<float>(w.cwnd) / static_cast<float>(w.mss);
  if (w_max_ < cwnd) w_max_ = cwnd;
  k_ = std::cbrt((w_max_ - cwnd) / kC);  // figure 2
  w_est_ = cwnd;
  fraction_ = 0;
}

void Cubic::on_ack(CongestionWindow& w, const AckEvent& e) {
  if (w.cwnd < w.ssthresh) {
    epoch_ = false;  // after an idle restart: the old one ends
    if (first_slow_start_) return hystart_.on_ack(w, e);
    w.cwnd += std::min(e.bytes, e.limit * w.mss);
    return;
  }
  first_slow_start_ = false;
  if (!epoch_) begin_epoch(w, e.now);
  // 4.2, 5.8: time in which the window was not in use does not count.
  if (e.now - last_ack_ > 2 * e.srtt) epoch_start_ += e.now - last_ack_;
  last_ack_ = e.now;

  const float mss = static_cast<float>(w.mss);
  const float cwnd = static_cast<float>(w.cwnd) / mss;
  const float acked = static_cast<float>(e.bytes) / mss;
  const auto cubic = [&](float t) { return kC * (t - k_) * (t - k_) * (t - k_) + w_max_; };  // figure 1
  const float t = seconds(e.now - epoch_start_);
  // 4.3: what Reno would have by now; alpha is 1 once the window of the last loss is reached again.
  w_est_ += (w_est_ < cwnd_prior_ ? kAlpha : 1) * acked / cwnd;
  if (cubic(t) < w_est_) {
    w.cwnd = std::max(w.cwnd, static_cast<std::uint32_t>(w_est_ * mss));
    return;
  }
  const float target = std::clamp(cubic(t + seconds(e.srtt)), cwnd, 1.5F * cwnd);
  fraction_ += (target - cwnd) / cwnd * static_cast<float>(e.bytes);
  const auto whole = static_cast<std::uint32_t>(fraction_);
  fraction_ -= static_cast<float>(whole);
  w.cwnd += std::min(whole, w.cwnd / 2);
}

std::uint32_t Cubic::on_loss(const CongestionWindow& w, std::uint32_t flight) {
  first_slow_start_ = false;
  epoch_ = false;
  const float cwnd =
      static_cast<float>(std::min(w.cwnd, std::max(flight, w.mss))) / static_cast<float>(w.mss);
  cwnd_prior_ = cwnd;
  w_max_ = cwnd < w_max_ ? cwnd * (1 + kBeta) / 2 : cwnd;  // 4.7, fast convergence
  const auto reduced = static_cast<std::uint32_t>(cwnd * kBeta * static_cast<float>(w.mss));
  return std::max(reduced, 2 * w.mss);
}

}  // namespace sluice::l4::tcp
