// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace sluice::l7::tls {

/// The ClientHellos whose early data was taken, so that none is taken twice (RFC 8446, 8.2): one for all workers of a
/// process, without locks, of a fixed size. An entry outlives the time for which OpenSSL takes the age that such a
/// ClientHello tells for the true one (8.3: ten seconds); then its place is used again.
///
/// It does not know what was taken before it was made, nor what was while the clock was ahead: it then says kTooSoon.
class ReplayGuard {
 public:
  /// Seconds for which an entry stays: those ten, and what may pass between OpenSSL's look at the clock and ours.
  static constexpr std::int64_t kLifetime = 14;
  /// Seconds by which the clock may be set back unnoticed.
  static constexpr std::int64_t kStepBack = 2;
  /// Entries for each worker: twice what one can take in a lifetime. Memory is used only as they are.
  static constexpr std::size_t kEntriesPerWorker = 1 << 17;

  enum class Verdict : std::uint8_t {
    kFresh,     ///< Recorded: take it.
    kReplayed,
    kFull,      ///< No place for it: it must not be taken.
    kTooSoon,
  };
  /// Of a ClientHello and its key; uniformly distributed.
  struct Fingerprint {
    std::uint64_t place, tag;
  };

  /// `entries`: rounded up to a power of two. `now`: seconds of the wall clock, of which OpenSSL makes ages, too.
  ReplayGuard(std::size_t entries, std::int64_t now);
  /// Any thread.
  Verdict admit(const Fingerprint& hello, std::int64_t now);

 private:
  static constexpr std::size_t kBucket = 8;
  struct Free {
    void operator()(std::uint64_t* p) const { std::free(p); }
  };
  bool trusts(std::int64_t now);

  const std::int64_t start_;
  std::atomic<std::int64_t> newest_;  ///< Time that was seen.
  std::size_t buckets_;
  std::unique_ptr<std::uint64_t[], Free> places_;  ///< 47 bits of the tag, 16 of the second. 0: never used.
};

}  // namespace sluice::l7::tls
