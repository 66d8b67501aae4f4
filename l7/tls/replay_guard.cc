// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/replay_guard.h"

#include <algorithm>
#include <bit>
#include <new>
#include <span>

namespace sluice::l7::tls {
namespace {

/// Times that somebody else takes a place first.
constexpr int kAttempts = 32;
constexpr std::uint64_t kSecond = 0xffff;

using Place = std::atomic_ref<std::uint64_t>;

bool same_tag(std::uint64_t a, std::uint64_t b) { return (a & ~kSecond) == (b & ~kSecond); }

/// What was entered by a clock a little ahead is alive, too.
bool alive(std::uint64_t entry, std::int64_t now) {
  constexpr std::int64_t kAhead = 2 * ReplayGuard::kStepBack;
  const auto age = static_cast<std::uint64_t>(now + kAhead) - entry;
  return entry != 0 && (age & kSecond) <= ReplayGuard::kLifetime + kAhead;
}

}  // namespace

ReplayGuard::ReplayGuard(std::size_t entries, std::int64_t now)
    : start_(now), newest_(now), buckets_(std::bit_ceil(std::max(entries, kBucket)) / kBucket) {
  // Not zeroed by hand: large memory comes zeroed, page by page when it is first used.
  places_.reset(static_cast<std::uint64_t*>(std::calloc(buckets_ * kBucket, sizeof(std::uint64_t))));
  if (places_ == nullptr) throw std::bad_alloc();
}

bool ReplayGuard::trusts(std::int64_t now) {
  std::int64_t newest = newest_.load(std::memory_order_relaxed);
  while (now > newest && !newest_.compare_exchange_weak(newest, now, std::memory_order_relaxed)) {}
  return now >= newest - kStepBack && now > start_ + kLifetime;
}

ReplayGuard::Verdict ReplayGuard::admit(const Fingerprint& hello, std::int64_t now) {
  if (!trusts(now)) return Verdict::kTooSoon;
  const std::uint64_t entry = ((hello.tag | (kSecond + 1)) & ~kSecond) | (static_cast<std::uint64_t>(now) & kSecond);
  const std::span bucket(&places_[(hello.place & (buckets_ - 1)) * kBucket], kBucket);
  const auto known = [&](const std::uint64_t* but) {
    return std::ranges::any_of(bucket, [&](std::uint64_t& place) {
      if (&place == but) return false;
      const std::uint64_t there = Place(place).load();
      return same_tag(there, entry) && alive(there, now);
    });
  };
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (known(nullptr)) return Verdict::kReplayed;
    const auto free = std::ranges::find_if(bucket, [now](std::uint64_t& place) { return !alive(Place(place).load(), now); });
    if (free == bucket.end()) return Verdict::kFull;
    std::uint64_t before = Place(*free).load();
    if (alive(before, now) || !Place(*free).compare_exchange_strong(before, entry)) continue;
    // Another worker may have put the same one elsewhere meanwhile: of two, one at least sees the other.
    return known(&*free) ? Verdict::kReplayed : Verdict::kFresh;
  }
  return Verdict::kFull;
}

}  // namespace sluice::l7::tls
