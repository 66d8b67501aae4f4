// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "dataplane/base/clock.h"
#include "l7/tls/crypto_engine.h"
#include "l7/tls/openssl_util.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::tls {

class AsyncJobs;
class Session;

/// One handshake's dealings with the engine; as long as its SSL, which runs in SSL_MODE_ASYNC.
class AsyncJob {
 public:
  AsyncJob(AsyncJobs& jobs, Session& session) : jobs_(jobs), session_(session) {}
  AsyncJob(const AsyncJob&) = delete;
  AsyncJob& operator=(const AsyncJob&) = delete;

  void attach(SSL* ssl);
  AsyncJobs& jobs() { return jobs_; }

 private:
  friend AsyncJobs;
  static int on_ready(SSL*, void* self);

  AsyncJobs& jobs_;
  Session& session_;
  std::size_t place_ = 0;            ///< Among those in flight.
  std::atomic<bool> ready_ = false;  ///< By the engine, which may have a thread of its own.
  bool again_ = false;               ///< The engine had no room for it.
  bool lost_ = false;                ///< In flight when the engine stalled.
};

/// Handshakes of one worker that wait for an engine, and whether the engine is to be relied on.
///
///                  8 failures in a row, or nothing done for kStall           kPause later: one handshake
///     kInService ------------------------------------------> kSuspended ------------------------------> kTrial
///         ^                                                       ^  its operation failed, or kStall      |  |
///         |                                                       +---------------------------------------+  |
///         +------------------------------------ its operation was done ---------------------------------------+
///
/// Providers that nothing may stand in for (CryptoEngine::replaceable) stay in service, whatever they do.
///
/// In kSuspended all is done in software; what the engine has goes on to be polled. A job is never resumed before the engine
/// has said that it may: engines take that for the end of the operation, whose memory they still write to. So what it never
/// tells of keeps its place, and when such have all places there is no further trial.
class AsyncJobs final : public EngineOperations {
 public:
  /// What a poll is worth waiting for: so many operations at a time are what multi-buffer engines are made for.
  static constexpr std::size_t kBatch = 8;
  /// What the engine had no room for is tried again once in so many loops.
  static constexpr unsigned kRetry = 8;
  static constexpr unsigned kFailuresInARow = 8;
  static constexpr Duration kStall = std::chrono::seconds(1);
  static constexpr Duration kPause = std::chrono::seconds(10);
  static constexpr Duration kBlink = std::chrono::milliseconds(100);  ///< Between two looks, with jobs in flight.

  AsyncJobs(const CryptoEngine& engine, Stats& stats);

  /// Whether a new handshake runs as a job.
  bool admits();
  /// No further job may be begun. What has to begin waits.
  bool full() const { return state_ == State::kInService && flight_.size() >= engine_.config().jobs; }
  std::size_t in_flight() const { return flight_.size(); }

  /// Once a loop. `others_can_begin`: then a batch may still become larger, and polling is put off for a few loops.
  void look(bool others_can_begin, Instant now);
  /// Of a paused one that is to be stepped now; null: none.
  Session* take_ready();
  /// A step has ended in a pause. `again`: the engine had no room for it; to be stepped again.
  void paused(AsyncJob& job, bool again);

  /// At the end: as look(), whatever waits.
  void poll() { engine_.poll(); }
  /// Whether operations tell of their ends themselves; or else handshakes are to, at the end of what costs.
  bool watched() const { return engine_.watched(); }
  /// Fibres belong to a thread.
  bool mine() const { return std::this_thread::get_id() == thread_; }

  // EngineOperations
  bool in_service() const override { return state_ != State::kSuspended; }
  void ended(bool ok) override;

 private:
  enum class State : std::uint8_t { kInService, kSuspended, kTrial };
  friend AsyncJob;

  Session* take(AsyncJob& job);
  void enter(State next);
  void stalled();
  std::size_t live() const { return flight_.size() - lost_; }

  const CryptoEngine& engine_;
  Stats& stats_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::vector<AsyncJob*> flight_;         ///< Paused.
  std::atomic<std::uint32_t> ready_ = 0;  ///< Of them: a hint, exact but for moments.
  std::size_t lost_ = 0;                  ///< Of them.
  State state_ = State::kInService;
  bool trial_begun_ = false;
  bool retry_ = false;                    ///< One that found no room may be tried again.
  unsigned failures_ = 0;                 ///< In a row.
  unsigned looks_ = 0;                    ///< Since the last poll.
  unsigned waits_ = 0;                    ///< Looks since the last retry.
  Instant now_{};
  Instant since_{};                       ///< Last sign of life; in kSuspended: when that began.
};

}  // namespace sluice::l7::tls
