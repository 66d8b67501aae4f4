// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <variant>

#include "l4/tcp/cubic.h"
#include "l4/tcp/newreno.h"
#include "l4/tcp/stack.h"

namespace sluice::l4::tcp {

/// RFC 6928: ten segments, less for large ones.
constexpr std::uint32_t initial_window(std::uint32_t mss) {
  const std::uint32_t floor = 2 * mss > 14600 ? 2 * mss : 14600;
  return 10 * mss < floor ? 10 * mss : floor;
}

/// How the window grows and by how much it shrinks: one of the algorithms, in place. When losses are found
/// and what is sent again is recovery's business (recovery.h), the same for all. An algorithm has
///   on_ack(window, event): bytes were acknowledged outside of fast recovery while the window was in full
///   use; on_loss(window, flight): a loss was found with `flight` bytes outstanding; returns the new
///   ssthresh.
class CongestionControl {
 public:
  explicit CongestionControl(Algorithm a) {
    if (a == Algorithm::kNewReno) algorithm_.emplace<NewReno>();
  }
  void on_ack(CongestionWindow& w, const AckEvent& e) {
    std::visit([&](auto& a) { a.on_ack(w, e); }, algorithm_);
  }
  std::uint32_t on_loss(const CongestionWindow& w, std::uint32_t flight) {
    return std::visit([&](auto& a) { return a.on_loss(w, flight); }, algorithm_);
  }
  /// What a loss changes, to take it back.
  using Memory = std::variant<Cubic::Memory, NewReno::Memory>;
  Memory memory() const {
    return std::visit([](const auto& a) { return Memory(a.memory()); }, algorithm_);
  }
  void restore(const Memory& m) {
    if (auto* cubic = std::get_if<Cubic>(&algorithm_)) {
      cubic->restore(std::get<Cubic::Memory>(m));
    } else {
      std::get<NewReno>(algorithm_).restore(std::get<NewReno::Memory>(m));
    }
  }

 private:
  std::variant<Cubic, NewReno> algorithm_;
};

}  // namespace sluice::l4::tcp
