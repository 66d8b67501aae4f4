// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace sluice {
namespace {

constexpr std::uint64_t kNoTick = UINT64_MAX;

/// First tick whose time is not before `deadline`: rounding up is what keeps a timer from firing early.
std::uint64_t tick_of(Instant deadline, Instant start) {
  if (deadline == kNever) return kNoTick;
  if (deadline <= start) return 0;
  const auto ns = static_cast<std::uint64_t>((deadline - start).count());
  const auto tick = static_cast<std::uint64_t>(TimerWheel::kTick.count());
  return ns / tick + (ns % tick != 0);
}

}  // namespace

void Timer::disarm() {
  if (wheel_ != nullptr) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(Instant start) : start_(start) {}

TimerWheel::~TimerWheel() {
  for (auto& level : slots_) {
    for (Timer*& head : level) {
      while (head != nullptr) unlink(*head);
    }
  }
}

void TimerWheel::arm(Timer& timer, Instant deadline) {
  timer.disarm();
  timer.deadline_ = deadline;
  place(timer, tick_ + 1);
}

/// Level L holds what is 64^L to 64^(L+1)-1 ticks away, in the slot of its tick's L-th digit (base 64). The
/// distance in slots is thus 1 to 64, and a slot never holds ticks of two turns.
void TimerWheel::place(Timer& timer, std::uint64_t earliest) {
  constexpr std::uint64_t kSpan = std::uint64_t{1} << (kLevels * kSlotBits);
  std::uint64_t tick = std::max(tick_of(timer.deadline_, start_), earliest);
  if (tick - tick_ >= kSpan) tick = tick_ + kSpan - 1;
  unsigned level = 0;
  while (tick - tick_ >= std::uint64_t{1} << ((level + 1) * kSlotBits)) ++level;
  const auto slot = static_cast<unsigned>(tick >> (level * kSlotBits)) & (kSlots - 1);

  Timer*& head = slots_[level][slot];
  timer.prev_ = nullptr;
  timer.next_ = head;
  if (head != nullptr) head->prev_ = &timer;
  head = &timer;
  timer.wheel_ = this;
  timer.level_ = static_cast<std::uint8_t>(level);
  timer.slot_ = static_cast<std::uint8_t>(slot);
  occupied_[level] |= std::uint64_t{1} << slot;
  ++armed_;
}

void TimerWheel::unlink(Timer& timer) {
  Timer*& head = slots_[timer.level_][timer.slot_];
  (timer.prev_ == nullptr ? head : timer.prev_->next_) = timer.next_;
  if (timer.next_ != nullptr) timer.next_->prev_ = timer.prev_;
  if (head == nullptr) occupied_[timer.level_] &= ~(std::uint64_t{1} << timer.slot_);
  timer.prev_ = timer.next_ = nullptr;
  timer.wheel_ = nullptr;
  --armed_;
}

/// Spreads the slot of `level` that has become due over the levels below. What is due in this very tick goes
/// to level 0's current slot, which runs next.
void TimerWheel::cascade(unsigned level) {
  Timer*& head = slots_[level][(tick_ >> (level * kSlotBits)) & (kSlots - 1)];
  Timer* due = head;
  while (due != nullptr) {
    Timer* next = due->next_;
    unlink(*due);
    place(*due, tick_);
    due = next;
  }
}

/// The next tick at which a slot, of any level, has to be looked at.
std::uint64_t TimerWheel::next_tick() const {
  std::uint64_t best = kNoTick;
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const std::uint64_t digit = tick_ >> (level * kSlotBits);
    const auto ahead = std::rotr(occupied_[level], static_cast<int>((digit + 1) & (kSlots - 1)));
    const std::uint64_t distance = static_cast<std::uint64_t>(std::countr_zero(ahead)) + 1;
    best = std::min(best, (digit + distance) << (level * kSlotBits));
  }
  return best;
}

void TimerWheel::advance(Instant now) {
  if (now <= start_) return;
  const auto target = static_cast<std::uint64_t>((now - start_).count() / kTick.count());
  for (std::uint64_t tick = next_tick(); tick <= target; tick = next_tick()) {
    tick_ = tick;
    for (unsigned level = kLevels - 1; level > 0; --level) {
      const std::uint64_t below = (std::uint64_t{1} << (level * kSlotBits)) - 1;
      if ((tick_ & below) == 0) cascade(level);
    }
    // Callbacks arm for later ticks only, so this slot drains; they may disarm or destroy others in it.
    Timer*& head = slots_[0][tick_ & (kSlots - 1)];
    while (head != nullptr) {
      Timer& timer = *head;
      unlink(timer);
      timer.callback_(timer.owner_, now);
    }
  }
  tick_ = std::max(tick_, target);
}

Instant TimerWheel::next_deadline() const {
  const std::uint64_t tick = next_tick();
  return tick == kNoTick ? kNever : start_ + static_cast<std::int64_t>(tick) * kTick;
}

}  // namespace sluice
