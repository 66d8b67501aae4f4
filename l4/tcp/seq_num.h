// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::l4::tcp {

/// A position in a sequence space modulo 2^32 (RFC 9293, 3.4). Comparison is by signed distance, so it is
/// right as long as the two are less than 2^31 apart; there is no total order, hence no operator<=>.
class SeqNum {
 public:
  constexpr SeqNum() = default;
  explicit constexpr SeqNum(std::uint32_t value) : value_(value) {}
  constexpr std::uint32_t value() const { return value_; }

  friend constexpr SeqNum operator+(SeqNum a, std::uint32_t n) { return SeqNum(a.value_ + n); }
  friend constexpr SeqNum operator-(SeqNum a, std::uint32_t n) { return SeqNum(a.value_ - n); }
  constexpr SeqNum& operator+=(std::uint32_t n) {
    value_ += n;
    return *this;
  }
  /// Signed distance from b to a.
  friend constexpr std::int32_t operator-(SeqNum a, SeqNum b) {
    return static_cast<std::int32_t>(a.value_ - b.value_);
  }

  friend constexpr bool operator==(SeqNum, SeqNum) = default;
  friend constexpr bool operator<(SeqNum a, SeqNum b) { return a - b < 0; }
  friend constexpr bool operator<=(SeqNum a, SeqNum b) { return a - b <= 0; }
  friend constexpr bool operator>(SeqNum a, SeqNum b) { return a - b > 0; }
  friend constexpr bool operator>=(SeqNum a, SeqNum b) { return a - b >= 0; }

 private:
  std::uint32_t value_ = 0;
};

constexpr SeqNum max(SeqNum a, SeqNum b) { return a < b ? b : a; }
constexpr SeqNum min(SeqNum a, SeqNum b) { return a < b ? a : b; }
/// Bytes from `from` up to `to`; 0 when `to` lies before.
constexpr std::uint32_t distance(SeqNum from, SeqNum to) {
  return to > from ? static_cast<std::uint32_t>(to - from) : 0;
}

}  // namespace sluice::l4::tcp
