// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>

#include "dataplane/base/object_pool.h"
#include "l4/tcp/cubic.h"
#include "l4/tcp/newreno.h"
#include "l4/tcp/stack.h"

namespace sluice::l4::tcp {

/// RFC 6928: ten segments, less for large ones.
constexpr std::uint32_t initial_window(std::uint32_t mss) {
  const std::uint32_t floor = 2 * mss > 14600 ? 2 * mss : 14600;
  return 10 * mss < floor ? 10 * mss : floor;
}

/// How the window grows and by how much it shrinks: one of the algorithms. Its state comes from a pool when the window is
/// first full or something is lost, and stays: a connection of small messages has none. When losses are found
/// and what is sent again is recovery's business (recovery.h), the same for all. An algorithm has
///   on_ack(window, event): bytes were acknowledged outside of fast recovery while the window was in full
///   use; on_loss(window, flight): a loss was found with `flight` bytes outstanding; returns the new
///   ssthresh.
class CongestionControl {
 public:
  class Pool;

  explicit CongestionControl(Pool& pool) : pool_(&pool) {}
  CongestionControl(const CongestionControl&) = delete;
  CongestionControl& operator=(const CongestionControl&) = delete;
  ~CongestionControl();

  void on_ack(CongestionWindow& w, const AckEvent& e) {
    std::visit([&](auto& a) { a.on_ack(w, e); }, state().algorithm);
  }
  std::uint32_t on_loss(const CongestionWindow& w, std::uint32_t flight) {
    return std::visit([&](auto& a) { return a.on_loss(w, flight); }, state().algorithm);
  }
  /// Remembers what a loss changes,
  void remember() {
    State& s = state();
    s.before = std::visit([](const auto& a) { return Memory(a.memory()); }, s.algorithm);
  }
  /// to take it back.
  void restore() {
    State& s = state();
    if (auto* cubic = std::get_if<Cubic>(&s.algorithm)) {
      cubic->restore(std::get<Cubic::Memory>(s.before));
    } else {
      std::get<NewReno>(s.algorithm).restore(std::get<NewReno::Memory>(s.before));
    }
  }

 private:
  using Memory = std::variant<Cubic::Memory, NewReno::Memory>;
  struct State {
    std::variant<Cubic, NewReno> algorithm;
    Memory before;
  };
  State& state();

  Pool* pool_;
  State* state_ = nullptr;
};

/// For the connections of one worker, which are bounded, and so is this.
class CongestionControl::Pool {
 public:
  explicit Pool(Algorithm a) : algorithm_(a) {}
  std::size_t bytes() const { return states_.live() * sizeof(State); }

 private:
  friend class CongestionControl;
  const Algorithm algorithm_;
  ObjectPool<State> states_{std::numeric_limits<std::size_t>::max()};
};

inline CongestionControl::State& CongestionControl::state() {
  if (state_ == nullptr) {
    state_ = pool_->states_.create();
    if (pool_->algorithm_ == Algorithm::kNewReno) *state_ = {NewReno(), NewReno::Memory()};
  }
  return *state_;
}

inline CongestionControl::~CongestionControl() {
  if (state_ != nullptr) pool_->states_.destroy(state_);
}

}  // namespace sluice::l4::tcp
