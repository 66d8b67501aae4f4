// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/clock.h"

namespace sluice {

class TimerWheel;

/// A deadline inside the object that waits for it. Disarms itself when destroyed. Owned by the wheel's worker.
class Timer {
 public:
  using Callback = void (*)(void* owner, Instant now);

  /// `callback(owner, now)` runs once, at or after the deadline, with the timer disarmed.
  Timer(Callback callback, void* owner) : callback_(callback), owner_(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  bool armed() const { return wheel_ != nullptr; }
  Instant deadline() const { return deadline_; }
  void disarm();

 private:
  friend class TimerWheel;
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  TimerWheel* wheel_ = nullptr;
  Instant deadline_ = kNever;
  Callback callback_;
  void* owner_;
  std::uint8_t level_ = 0, slot_ = 0;  // where it is linked
};

/// Hierarchical timing wheel (Varghese and Lauck 1987), one a worker: arm and disarm are O(1), without allocation.
/// Resolution is kTick: a timer fires at most one tick late, never early. Deadlines beyond the wheel's span wait
/// in its last level and are placed again. A callback may arm and disarm any timer, its own included.
class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::microseconds(500);

  explicit TimerWheel(Instant start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Arms, or moves, the timer.
  void arm(Timer& timer, Instant deadline);
  /// Runs what is due. Time never goes backwards.
  void advance(Instant now);
  /// No later than the earliest armed deadline's tick (may be earlier: an upper level must be spread first);
  /// kNever when nothing is armed.
  Instant next_deadline() const;
  std::uint64_t armed_count() const { return armed_; }

 private:
  friend class Timer;
  static constexpr unsigned kLevels = 5;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1u << kSlotBits;

  void place(Timer& timer, std::uint64_t earliest);
  void unlink(Timer& timer);
  void cascade(unsigned level);
  std::uint64_t next_tick() const;

  std::array<std::array<Timer*, kSlots>, kLevels> slots_{};
  std::array<std::uint64_t, kLevels> occupied_{};  // one bit a slot
  std::uint64_t tick_ = 0;                         // ticks since start_ that have been run
  Instant start_;
  std::uint64_t armed_ = 0;
};

}  // namespace sluice
