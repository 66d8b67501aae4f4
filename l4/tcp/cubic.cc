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
  m_.epoch = true;
  m_.epoch_start = m_.last_ack = now;
  const float cwnd = static_cast<float>(w.cwnd) / static_cast<float>(w.mss);
  if (m_.w_max < cwnd) m_.w_max = cwnd;
  m_.k = std::cbrt((m_.w_max - cwnd) / kC);  // figure 2
  m_.w_est = cwnd;
  m_.fraction = 0;
}

void Cubic::on_ack(CongestionWindow& w, const AckEvent& e) {
  if (w.cwnd < w.ssthresh) {
    m_.epoch = false;  // after an idle restart: the old one ends
    if (m_.first_slow_start) return hystart_.on_ack(w, e);
    w.cwnd += std::min(e.bytes, e.limit * w.mss);
    return;
  }
  m_.first_slow_start = false;
  if (!m_.epoch) begin_epoch(w, e.now);
  // 4.2, 5.8: time in which the window was not in use does not count.
  if (e.now - m_.last_ack > 2 * e.srtt) m_.epoch_start += e.now - m_.last_ack;
  m_.last_ack = e.now;

  const float mss = static_cast<float>(w.mss);
  const float cwnd = static_cast<float>(w.cwnd) / mss;
  const float acked = static_cast<float>(e.bytes) / mss;
  const auto cubic = [&](float t) {
    return kC * (t - m_.k) * (t - m_.k) * (t - m_.k) + m_.w_max;
  };  // figure 1
  const float t = seconds(e.now - m_.epoch_start);
  // 4.3: what Reno would have by now; alpha is 1 once the window of the last loss is reached again.
  m_.w_est += (m_.w_est < m_.cwnd_prior ? kAlpha : 1) * acked / cwnd;
  if (cubic(t) < m_.w_est) {
    w.cwnd = std::max(w.cwnd, static_cast<std::uint32_t>(m_.w_est * mss));
    return;
  }
  const float target = std::clamp(cubic(t + seconds(e.srtt)), cwnd, 1.5F * cwnd);
  m_.fraction += (target - cwnd) / cwnd * static_cast<float>(e.bytes);
  const auto whole = static_cast<std::uint32_t>(m_.fraction);
  m_.fraction -= static_cast<float>(whole);
  w.cwnd += std::min(whole, w.cwnd / 2);
}

std::uint32_t Cubic::on_loss(const CongestionWindow& w, std::uint32_t flight) {
  m_.first_slow_start = false;
  m_.epoch = false;
  const float cwnd =
      static_cast<float>(std::min(w.cwnd, std::max(flight, w.mss))) / static_cast<float>(w.mss);
  m_.cwnd_prior = cwnd;
  m_.w_max = cwnd < m_.w_max ? cwnd * (1 + kBeta) / 2 : cwnd;  // 4.7, fast convergence
  const auto reduced = static_cast<std::uint32_t>(cwnd * kBeta * static_cast<float>(w.mss));
  return std::max(reduced, 2 * w.mss);
}

}  // namespace sluice::l4::tcp
