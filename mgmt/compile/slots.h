// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace sluice::mgmt::compile {

/// Gives out numbers from 0 to capacity-1 that name a group, a backend or a meter in the runtime tables. A value:
/// compile works on a copy, so that a refused change takes nothing. A number that came back waits until
/// `quarantine` others did after it (as long as fresh ones last): what still remembers it, such as an idle
/// upstream connection, is then long gone.
class SlotAllocator {
 public:
  SlotAllocator(std::uint32_t capacity, std::uint32_t quarantine)
      : capacity_(capacity), quarantine_(quarantine) {}

  /// None: all are in use.
  std::optional<std::uint32_t> take() {
    if (free_.size() <= quarantine_ && next_ < capacity_) return next_++;
    if (free_.empty()) return std::nullopt;
    const std::uint32_t slot = free_.front();
    free_.pop_front();
    return slot;
  }
  /// Only after the grace period of the last snapshot that named it.
  void release(std::uint32_t slot) { free_.push_back(slot); }

  /// One more than the largest number given out so far.
  std::uint32_t high_water() const { return next_; }

 private:
  std::uint32_t capacity_, quarantine_;
  std::uint32_t next_ = 0;
  std::deque<std::uint32_t> free_;
};

}  // namespace sluice::mgmt::compile
