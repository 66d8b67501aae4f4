// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/base/clock.h"
#include "dataplane/base/ip.h"

namespace sluice::l7::limits {

/// A token bucket for each client address (IPv6: for each /64, which is what one client has), `per_second` (1 to
/// kMaxRate) on average and as many at once. All workers; lock-free; 128 KiB whatever comes.
///
/// A bucket that is full need not be known, so only sources that came within the last seconds take room. When there
/// is none left among the eight places that an address may have, the source that owes least is forgotten, and starts
/// with a full bucket: who sprays addresses is charged less than the limit says, the worst offenders stay, and nobody is
/// refused for what others did. The places are drawn by a keyed hash: none can be aimed at.
class SourceRates {
 public:
  static constexpr std::uint32_t kMaxRate = 100'000;
  static constexpr std::size_t kWays = 8, kSets = 2048;

  /// Keyed with random numbers of its own.
  SourceRates();
  /// Keyed by these.
  SourceRates(std::uint64_t key0, std::uint64_t key1);

  /// Whether the source's bucket has a token. Takes none.
  bool has(const IpAddr& source, std::uint32_t per_second, Instant now) const;
  /// Takes one; may overdraw by another second's worth, for what was let begin by has().
  bool take_overdrawn(const IpAddr& source, std::uint32_t per_second, Instant now);

 private:
  /// One word, so that it changes as one: 24 bits that tell the addresses of a set apart (0: nobody's), and when the
  /// bucket will be full, in microseconds modulo 2^40 (12 days; what looks further ahead than a debt may reach is old).
  using Entry = std::atomic<std::uint64_t>;
  struct alignas(64) Set {
    std::array<Entry, kWays> entries{};
  };
  struct Place {
    std::size_t set;
    std::uint64_t tag;
  };
  Place place_of(const IpAddr& source) const;

  const std::uint64_t key0_, key1_;
  std::unique_ptr<Set[]> sets_;
};

}  // namespace sluice::l7::limits
