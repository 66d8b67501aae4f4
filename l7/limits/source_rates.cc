// SPDX-License-Identifier: Apache-2.0
#include "l7/limits/source_rates.h"

#include <random>

#include "l4/tcp/siphash.h"

namespace sluice::l7::limits {
namespace {

constexpr unsigned kTimeBits = 40;
constexpr std::uint64_t kTimeMask = (1ull << kTimeBits) - 1;
constexpr std::int64_t kSecond = 1'000'000;  // us

std::uint64_t microseconds(Instant now) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::microseconds(1)) & kTimeMask;
}

/// Until the entry's bucket is full, us: 0 when it is.
std::int64_t debt(std::uint64_t entry, std::uint64_t now) {
  const auto ahead = static_cast<std::int64_t>((entry - now) & kTimeMask);
  return ahead <= 2 * kSecond + kSecond / 2 ? ahead : 0;
}

std::uint64_t random_word() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

}  // namespace

SourceRates::SourceRates() : SourceRates(random_word(), random_word()) {}

SourceRates::SourceRates(std::uint64_t key0, std::uint64_t key1)
    : key0_(key0), key1_(key1), sets_(std::make_unique<Set[]>(kSets)) {}

SourceRates::Place SourceRates::place_of(const IpAddr& source) const {
  const std::uint64_t words[] = {source.word(0), source.is_v4() ? source.word(1) : 0};
  const std::uint64_t hash = l4::tcp::siphash(key0_, key1_, words);
  const std::uint64_t tag = hash >> kTimeBits;
  return {hash % kSets, (tag == 0 ? 1 : tag) << kTimeBits};
}

bool SourceRates::has(const IpAddr& source, std::uint32_t per_second, Instant now) const {
  const Place place = place_of(source);
  for (const Entry& e : sets_[place.set].entries) {
    const std::uint64_t entry = e.load(std::memory_order_relaxed);
    if ((entry & ~kTimeMask) != place.tag) continue;
    return debt(entry, microseconds(now)) + kSecond / per_second <= kSecond;
  }
  return true;
}

bool SourceRates::take_overdrawn(const IpAddr& source, std::uint32_t per_second, Instant now) {
  const Place place = place_of(source);
  const std::uint64_t t = microseconds(now);
  for (;;) {
    // The source's own entry, or else the one that is missed least.
    Entry* best = nullptr;
    std::uint64_t old = 0;
    std::int64_t least = INT64_MAX, owed = 0;
    for (Entry& e : sets_[place.set].entries) {
      const std::uint64_t entry = e.load(std::memory_order_relaxed);
      const std::int64_t d = entry == 0 ? -1 : debt(entry, t);
      const bool own = (entry & ~kTimeMask) == place.tag;
      if (!own && d >= least) continue;
      best = &e, old = entry, least = d;
      owed = own ? d : 0;
      if (own) break;
    }
    owed += kSecond / per_second;
    if (owed > 2 * kSecond) return false;
    const std::uint64_t next = place.tag | ((t + static_cast<std::uint64_t>(owed)) & kTimeMask);
    if (best->compare_exchange_weak(old, next, std::memory_order_relaxed)) return true;
  }
}

}  // namespace sluice::l7::limits
