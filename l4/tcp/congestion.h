// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"

namespace sluice::l4::tcp {

/// The congestion window of a connection, bytes (RFC 5681, 2).
struct CongestionWindow {
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = UINT32_MAX;
  std::uint32_t mss = 536;  ///< SMSS: payload of a full segment.
};

/// RFC 6928: ten segments, less for large ones.
constexpr std::uint32_t initial_window(std::uint32_t mss) {
  const std::uint32_t floor = 2 * mss > 14600 ? 2 * mss : 14600;
  return 10 * mss < floor ? 10 * mss : floor;
}

/// How the window grows and by how much it shrinks. When losses are found and what is sent again is
/// recovery's business (recovery.h), the same for all algorithms.
class CongestionControl {
 public:
  virtual ~CongestionControl() = default;
  /// `bytes` were acknowledged outside of recovery while the window was in full use.
  virtual void on_ack(CongestionWindow& w, std::uint32_t bytes, Duration srtt, Instant now) = 0;
  /// A loss was found with `flight` bytes outstanding: the new ssthresh.
  virtual std::uint32_t on_loss(const CongestionWindow& w, std::uint32_t flight, Instant now) = 0;
};

/// RFC 5681, 3.1, with appropriate byte counting (RFC 3465, L = 2).
class NewReno final : public CongestionControl {
 public:
  void on_ack(CongestionWindow& w, std::uint32_t bytes, Duration srtt, Instant now) override;
  std::uint32_t on_loss(const CongestionWindow& w, std::uint32_t flight, Instant now) override;

 private:
  std::uint32_t acked_ = 0;  // towards the next increase in congestion avoidance
};

}  // namespace sluice::l4::tcp
