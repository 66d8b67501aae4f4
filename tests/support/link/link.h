// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::test::link {

/// Time since the link came up.
using Time = std::chrono::nanoseconds;
using Frame = std::vector<std::uint8_t>;

/// What one direction of a link does to frames, in this order: MTU, loss, marking, corruption, the queue
/// before the rate limit, duplication, delay. Probabilities are per frame.
struct Impairments {
  std::size_t mtu = 0;             ///< Largest IP packet; larger ones vanish (no ICMP). 0: any.
  double loss = 0;                 ///< At random.
  double burst_begin = 0;          ///< Gilbert's model: a burst, in which all is lost, begins ...
  double burst_end = 1;            ///< ... and ends.
  double mark = 0;                 ///< CE, of packets that may be marked (RFC 3168).
  double corrupt = 0;              ///< One bit beyond the Ethernet header is flipped.
  std::uint64_t rate = 0;          ///< Bits a second, of whole frames. 0: unlimited.
  std::size_t queue = 256 * 1024;  ///< Bytes that may wait for the rate; what comes on top is dropped.
  double duplicate = 0;
  Time delay{0};
  Time jitter{0};      ///< Up to so much is added at random; the order is kept.
  double reorder = 0;  ///< Held back by `reorder_by`, while others pass.
  Time reorder_by{std::chrono::milliseconds(1)};
  std::uint64_t seed = 1;

  /// Sets what `word`, NAME=VALUE, says: names as above; times with ns, us, ms or s; rate with kbit, mbit or
  /// gbit; queue with k or m; burst=BEGIN,END; reorder=PROBABILITY,TIME. False: not understood.
  bool set(std::string_view word);
};

enum class Fate : std::uint8_t {
  kPassed,
  kTooBig,
  kLost,
  kQueueFull,
  kCorrupted,
  kDuplicated,
  kReordered,
  kMarked
};
inline constexpr std::array<std::string_view, 8> kFateNames{
    "passed", "too_big", "lost", "queue_full", "corrupted", "duplicated", "reordered", "marked"};

/// One direction: frames and times in, frames and times out. Deterministic by its seed and what goes in.
class Direction {
 public:
  explicit Direction(const Impairments& impairments) : how_(impairments), random_(impairments.seed) {}

  void put(std::span<const std::uint8_t> frame, Time now);
  /// When the next frame comes out.
  std::optional<Time> next() const;
  /// The next frame that is due by `now`.
  std::optional<Frame> take(Time now);

  std::size_t count(Fate f) const { return counts_[static_cast<std::size_t>(f)]; }

 private:
  bool chance(double p);
  bool lost();
  void add(Fate f) { ++counts_[static_cast<std::size_t>(f)]; }

  const Impairments how_;
  std::mt19937_64 random_;
  bool in_burst_ = false;
  Time busy_until_{0};
  Time last_out_{0};
  std::multimap<Time, Frame> flying_;
  std::array<std::size_t, kFateNames.size()> counts_{};
};

}  // namespace sluice::test::link
