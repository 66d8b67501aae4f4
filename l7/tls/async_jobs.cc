// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/async_jobs.h"

#include <openssl/async.h>

#include <algorithm>
#include <utility>

namespace sluice::l7::tls {
namespace {

/// Stacks of fibres, 32 KB each, made once a thread. Jobs on trial and the one that runs come on top of those that wait.
void make_stacks(unsigned jobs) {
  thread_local bool made = false;
  if (!made) ASYNC_init_thread(jobs + 2, jobs + 2);  // or else they are made as they are needed
  made = true;
}

}  // namespace

void AsyncJob::attach(SSL* ssl) {
  SSL_set_mode(ssl, SSL_MODE_ASYNC);
  SSL_set_async_callback(ssl, on_ready);
  SSL_set_async_callback_arg(ssl, this);
}

/// From the engine, in poll() or in a thread of its own. Once `ready_` is set the job may go at any moment.
int AsyncJob::on_ready(SSL*, void* self) {
  auto& job = *static_cast<AsyncJob*>(self);
  AsyncJobs& jobs = job.jobs_;
  if (!job.ready_.exchange(true, std::memory_order_release)) jobs.ready_.fetch_add(1, std::memory_order_release);
  return 1;
}

AsyncJobs::AsyncJobs(const CryptoEngine& engine, Stats& stats) : engine_(engine), stats_(stats) {
  flight_.reserve(engine.config().jobs + 2);
  make_stacks(engine.config().jobs);
  ERR_clear_error();
}

bool AsyncJobs::admits() {
  if (state_ == State::kInService) return true;
  if (state_ == State::kTrial && !trial_begun_) return trial_begun_ = true;
  stats_.engine_bypassed.add();
  return false;
}

void AsyncJobs::look(bool others_can_begin, Instant now) {
  // While nobody looked, the machine stood still: that is no sign of the engine's.
  if (state_ != State::kSuspended && live() != 0 && now - now_ > kBlink) since_ += now - now_;
  now_ = now;
  if (state_ == State::kSuspended && now - since_ >= kPause && lost_ < engine_.config().jobs) enter(State::kTrial);
  // One without a private-key operation proves nothing: it resumed a session, or its client has gone.
  if (state_ == State::kTrial && live() == 0 && now - since_ >= kStall) enter(State::kTrial);
  if (flight_.empty()) return;
  if (++waits_ >= kRetry) retry_ = true;
  if (engine_.polled() && (!others_can_begin || flight_.size() >= kBatch || ++looks_ >= kBatch)) {
    looks_ = 0;
    engine_.poll();
  }
  if (state_ != State::kSuspended && live() != 0 && ready_.load(std::memory_order_acquire) == 0 && now - since_ >= kStall) {
    stalled();
  }
}

void AsyncJobs::stalled() {
  if (!engine_.replaceable()) {  // who is new waits until there is room
    stats_.engine_stalls.add();
    since_ = now_;
    return;
  }
  for (AsyncJob* job : flight_) job->lost_ = true;
  lost_ = flight_.size();
  stats_.engine_stalls.add();
  enter(State::kSuspended);
}

Session* AsyncJobs::take_ready() {
  if (ready_.load(std::memory_order_acquire) != 0) {
    for (AsyncJob* job : flight_) {
      if (!job->ready_.load(std::memory_order_acquire)) continue;
      job->ready_.store(false, std::memory_order_relaxed);
      ready_.fetch_sub(1, std::memory_order_relaxed);
      if (state_ != State::kSuspended) since_ = now_;
      return take(*job);
    }
  }
  if (!std::exchange(retry_, false)) return nullptr;
  waits_ = 0;
  const auto waits = std::ranges::find_if(flight_, [](const AsyncJob* job) { return job->again_; });
  return waits == flight_.end() ? nullptr : take(**waits);
}

Session* AsyncJobs::take(AsyncJob& job) {
  flight_[job.place_] = flight_.back();
  flight_[job.place_]->place_ = job.place_;
  flight_.pop_back();
  job.again_ = false;
  if (std::exchange(job.lost_, false)) --lost_;
  stats_.engine_jobs_in_flight.set(flight_.size());
  stats_.engine_jobs_finished.add();
  return &job.session_;
}

void AsyncJobs::paused(AsyncJob& job, bool again) {
  if (live() == 0 && state_ != State::kSuspended) since_ = now_;
  job.place_ = flight_.size();
  flight_.push_back(&job);
  stats_.engine_jobs_in_flight.set(flight_.size());
  stats_.engine_jobs.add();
  job.again_ = again;
}

void AsyncJobs::ended(bool ok) {
  if (ok) {
    failures_ = 0;
    if (state_ == State::kTrial) enter(State::kInService);
    return;
  }
  stats_.engine_failures.add();
  if (!engine_.replaceable()) return;
  if (state_ == State::kTrial || (state_ == State::kInService && ++failures_ >= kFailuresInARow)) enter(State::kSuspended);
}

void AsyncJobs::enter(State next) {
  state_ = next;
  since_ = now_;
  failures_ = 0;
  trial_begun_ = false;
  stats_.engine_suspended.set(next == State::kInService ? 0 : 1);
}

}  // namespace sluice::l7::tls
