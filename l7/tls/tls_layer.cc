// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <mutex>
#include <vector>

#include "dataplane/base/object_pool.h"
#include "l7/tls/session.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::tls {
namespace {

/// flush() ends after so many rounds; what sessions make ready in the last one is left to the timer.
constexpr int kRounds = 8;
/// What an engine gets to end in at the end of the layer.
constexpr std::chrono::milliseconds kLastWait{200};

/// Handshakes that an engine has never come back with. It may write to their memory for as long as the process lives.
void keep_for_ever(std::unique_ptr<Handshake> handshake) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<Handshake>>();
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(handshake));
}

}  // namespace

class TlsLayer::Impl final : public SessionHost {
 public:
  Impl(WorkerId worker, BufPool& b, TimerWheel& t, std::size_t max_sessions, HandshakeGate* gate, const CryptoEngine* engine,
       ReplayGuard* replays)
      : SessionHost(b, t), worker_(worker), gate_(gate), pool_(max_sessions) {
    early.guard = replays;
    if (engine != nullptr) jobs_ = std::make_unique<AsyncJobs>(*engine, stats);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() override {
    if (jobs_ != nullptr) end_jobs();
    while (!all_.empty()) recycle(*all_.front());
  }

  Session* accept(l4::Stream& below, std::shared_ptr<const ServerContext> context, l4::StreamEvents* user) {
    Session* s = pool_.create(*this, worker_, below, std::move(context), user);
    if (s == nullptr) {
      stats.no_session.add();
      return nullptr;
    }
    all_.push_back(s->in_all);
    stats.sessions.add();
    return s;
  }

  Session* connect(l4::Stream& below, std::shared_ptr<const BackendTls> backend, l4::StreamEvents* user) {
    Session* s = pool_.create(*this, worker_, below, std::move(backend), user);
    if (s == nullptr) return nullptr;
    all_.push_back(s->in_all);
    backend_stats.sessions.add();
    return s;
  }

  void schedule(Session& s, Instant now) override {
    ready_.push_back(s.in_ready);
    wake(now);
  }
  void retry(Session& s, Instant now) override {
    starved_.push_back(s.in_ready);
    wake(now);
  }
  bool queue_handshake(Session& s, bool begun, Instant now) override {
    if (!begun && stats.handshakes_waiting.get() >= TlsLayer::kMaxWaiting) {
      stats.handshakes_crowded_out.add();
      return false;
    }
    if (!begun && gate_ != nullptr && !gate_->may_begin(s.flow(), now)) {
      stats.handshakes_limited.add();
      return false;
    }
    (begun ? begun_ : new_).push_back(s.in_queue);
    stats.handshakes_waiting.add();
    return true;
  }
  void leave_queue(Session& s) override {
    if (!s.in_queue.linked()) return;
    s.in_queue.unlink();
    stats.handshakes_waiting.sub();
  }
  void recycle(Session& s) override {
    leave_queue(s);
    if (s.with_engine()) return s.outlast();
    s.counts().sessions.sub();
    pool_.destroy(&s);
  }

  bool shake_hands(Instant now) {
    bool worked = jobs_ != nullptr && jobs_->in_flight() != 0;
    if (jobs_ != nullptr) jobs_->look(stats.handshakes_waiting.get() != 0 && !jobs_->full(), now);
    while (Session* s = next_turn()) {
      worked = true;
      if (s->take_turn(now)) return true;
    }
    return worked;
  }
  std::unique_ptr<AsyncJob> async_job(Session& s) override {
    if (jobs_ == nullptr || !jobs_->admits()) return nullptr;
    return std::make_unique<AsyncJob>(*jobs_, s);
  }

  void flush(Instant now) {
    ready_.append(starved_);
    for (int round = 0; round < kRounds && !ready_.empty(); ++round) {
      SessionList batch;
      batch.append(ready_);
      while (!batch.empty()) batch.pop_front()->run(now);
    }
    if (!ready_.empty() || !starved_.empty()) wake(now);
  }

 private:
  /// Who has waited for the engine, then who has begun, then who is new.
  Session* next_turn() {
    if (jobs_ != nullptr) {
      if (Session* s = jobs_->take_ready()) return s;
    }
    SessionList& next = begun_.empty() ? new_ : begun_;
    if (next.empty()) return nullptr;
    if (jobs_ != nullptr && jobs_->full()) {
      stats.engine_jobs_held_back.add();
      return nullptr;
    }
    Session* s = next.front();
    leave_queue(*s);
    return s;
  }
  void end_jobs() {
    const auto end = std::chrono::steady_clock::now() + kLastWait;
    while (jobs_->in_flight() != 0 && jobs_->mine() && std::chrono::steady_clock::now() < end) {
      jobs_->poll();
      while (Session* s = jobs_->take_ready()) s->step_for_nobody();
    }
    if (jobs_->in_flight() == 0) return;
    SessionList rest;
    rest.append(all_);
    while (!rest.empty()) {
      Session& s = *rest.pop_front();
      all_.push_back(s.in_all);
      if (s.with_engine()) keep_for_ever(s.leave_handshake());
    }
    static_cast<void>(jobs_.release());  // the engine may still tell of them
  }
  void wake(Instant now) {
    if (!timer_.armed()) timers.arm(timer_, now);
  }

  const WorkerId worker_;
  HandshakeGate* const gate_;
  ObjectPool<Session> pool_;
  SessionList all_, ready_, starved_;
  SessionList begun_, new_;  ///< Handshakes that wait for their turn.
  std::unique_ptr<AsyncJobs> jobs_;
  Timer timer_{[](void* self, Instant now) { static_cast<Impl*>(self)->flush(now); }, this};
};

TlsLayer::TlsLayer(WorkerId worker, BufPool& buffers, TimerWheel& timers, std::size_t max_sessions, HandshakeGate* gate,
                   const CryptoEngine* engine, ReplayGuard* replays)
    : impl_(std::make_unique<Impl>(worker, buffers, timers, max_sessions, gate, engine, replays)) {}
TlsLayer::~TlsLayer() = default;

l4::StreamEvents* TlsLayer::accept(l4::Stream& below, std::shared_ptr<const ServerContext> context,
                                   l4::StreamEvents* user, TlsStream** stream) {
  Session* s = impl_->accept(below, std::move(context), user);
  if (stream != nullptr) *stream = s;
  return s;
}

l4::StreamEvents* TlsLayer::connect(l4::Stream& below, std::shared_ptr<const BackendTls> backend, l4::StreamEvents* user,
                                    TlsStream** stream) {
  Session* s = impl_->connect(below, std::move(backend), user);
  *stream = s;
  return s;
}

void TlsLayer::use_ticket_keys(const TicketKeys* keys) { impl_->tickets.keys = keys; }
void TlsLayer::use_staples(const Staples* staples) { impl_->staples.staples = staples; }

void TlsLayer::flush(Instant now) { impl_->flush(now); }
bool TlsLayer::shake_hands(Instant now) { return impl_->shake_hands(now); }

const Stats& TlsLayer::stats() const { return impl_->stats; }
const BackendStats& TlsLayer::backend_stats() const { return impl_->backend_stats; }

}  // namespace sluice::l7::tls
