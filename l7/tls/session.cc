// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/session.h"

#include <algorithm>

#include "l4/tcp/coalesce.h"
#include "l7/tls/plain_http.h"

namespace sluice::l7::tls {

using l4::CloseReason;

class Session::Scope {
 public:
  explicit Scope(Session& s) : s_(s) { ++s_.depth_; }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    if (--s_.depth_ == 0 && s_.state_ == State::kDead) s_.host_.recycle(s_);
  }

 private:
  Session& s_;
};

Session::Session(SessionHost& host, WorkerId worker, l4::Stream& below, std::shared_ptr<const ServerContext> context,
                 l4::StreamEvents* user)
    : host_(host),
      below_(&below),
      user_(user),
      context_(std::move(context)),
      counts_(host.stats),
      flow_(below.flow()),
      queues_{host.buffers, {}, {}},
      worker_(worker) {}

// ---- Upwards ----

void Session::on_open(Instant now) {
  if (!at_client()) return host_.timers.arm(deadline_, now + kHandshakeTimeout);
  Scope scope(*this);
  state_ = State::kHandshake;
  wait_for_turn(now);
}

void Session::on_data(BufChain data, Instant now) {
  Scope scope(*this);
  uncredited_ += data.size();
  l4::tcp::append_coalesced(queues_.in, std::move(data), host_.buffers);
  receive(now);
}

void Session::on_peer_closed(Instant now) {
  Scope scope(*this);
  fin_received_ = true;
  receive(now);
}

void Session::receive(Instant now) {
  if (state_ == State::kFirstBytes) look_at_first_bytes(now);
  if (state_ == State::kHandshake || state_ == State::kEarly) wait_for_turn(now);
  read_on(now);
}

void Session::read_on(Instant now) {
  if (state_ == State::kOpen) read(now);
  // What comes behind close_notify or a failure is not looked at (RFC 8446, 6.1), but must not shut the window.
  if (state_ == State::kLingering || peer_closed_) queues_.in.clear();
  credit(now);
  if (state_ == State::kOpen && peer_closed_ && below_ == nullptr) finish(CloseReason::kNormal, now);
}

void Session::look_at_first_bytes(Instant now) {
  const FirstBytes what = tls::look_at_first_bytes(queues_.in);
  if (what == FirstBytes::kTooFew) {
    if (!fin_received_) return;
    if (!queues_.in.empty()) return fail_handshake("connection closed before the handshake", now);
    return fail("connection closed without a byte", CloseReason::kProtocolError, now);  // a probe: not counted
  }
  if (what == FirstBytes::kHttp) {
    host_.stats.plain_http.add();
    queues_.out.append_copy(plain_http_answer(), host_.buffers);
    return fail("plain HTTP request", CloseReason::kProtocolError, now);
  }
  state_ = State::kHandshake;
}

/// Costly steps wait for their turn. What ends a handshake does not, and who has left is not worth one. Connections to
/// backends serve who has been let in already.
void Session::wait_for_turn(Instant now) {
  if (with_engine()) return;
  if (handshake_ != nullptr && !handshake_->costly()) return shake_hands(now);
  if (handshake_ == nullptr && fin_received_) return fail_handshake("connection closed in the handshake", now);
  if (!in_queue.linked() && !host_.queue_handshake(*this, at_client() || handshake_ != nullptr, now)) refuse(now);
}

bool Session::take_turn(Instant now) {
  Scope scope(*this);
  if (state_ == State::kDead) {
    step_for_nobody();
    return true;
  }
  if (handshake_ == nullptr) {
    handshake_ = begin_handshake();
    if (!handshake_->ready()) {
      fail("out of memory", CloseReason::kNoResources, now);
      return false;
    }
  }
  shake_hands(now);
  const bool stood_still = handshake_ != nullptr && handshake_->stands_still();
  read_on(now);
  return !stood_still;
}

/// Neither alert nor lingering: what a storm leaves behind must cost nothing.
void Session::refuse(Instant now) {
  error_ = "too many handshakes";
  if (below_ != nullptr) std::exchange(below_, nullptr)->abort(now);
  finish(CloseReason::kNoResources, now);
}

void Session::shake_hands(Instant now) {
  if (owes_record()) seal(1, now);
  if (owes_record()) return host_.retry(*this, now);  // OpenSSL can send nothing else before
  const Handshake::Result r = handshake_->step();
  BufChain early;
  switch (r) {
    case Handshake::Result::kDone:
      early = handshake_->take_early();
      opened(now);
      break;
    case Handshake::Result::kFailed:
      if (handshake_->peer_refused()) counts_.peers_refused.add();
      if (at_client()) host_.sessions.forget(cache_key());
      return fail_handshake(handshake_->error(), now);
    case Handshake::Result::kNoBuffers: host_.retry(*this, now); break;
    case Handshake::Result::kNeedMore:
      if (fin_received_) return fail_handshake("connection closed in the handshake", now);
      if (!handshake_->early_accepted()) break;
      early = handshake_->take_early();
      if (state_ == State::kHandshake) opened_early(now);
      break;
    case Handshake::Result::kPaused: break;
  }
  push(now);
  deliver_early(std::move(early), now);
}

void Session::opened(Instant now) {
  deadline_.disarm();
  const bool told = state_ == State::kEarly;
  if (!told) note_agreed();
  start_records();
  state_ = State::kOpen;
  (info_.resumed ? counts_.handshakes_resumed : counts_.handshakes).add();
  push(now);
  if (!plain_out_.empty() || shut_) host_.schedule(*this, now);
  told ? user_->on_writable(now) : user_->on_open(now);
}

/// The user may answer early data before the client's Finished has come (RFC 8446, 2.3); OpenSSL seals until then.
void Session::opened_early(Instant now) {
  note_agreed();
  constexpr auto kReading = OpensslRecords::Reading::kNotYet;
  records_ = &kinds_.emplace<OpensslRecords>(queues_, handshake_->share_ssl(), host_.tools, kReading);
  state_ = State::kEarly;
  push(now);
  user_->on_open(now);
}

void Session::deliver_early(BufChain data, Instant now) {
  if (data.empty() || (state_ != State::kEarly && state_ != State::kOpen)) return;
  unconsumed_ += data.size();
  early_left_ += static_cast<std::uint16_t>(data.size());
  credit(now);
  user_->on_data(std::move(data), now);
}

void Session::read(Instant now) {
  while (state_ == State::kOpen && !peer_closed_) {
    held_ = unconsumed_ >= kMaxUnconsumed;
    partial_ = false;
    if (held_) return;
    BufChain plain;
    const Records::Result r = records_->open(plain, kMaxUnconsumed - unconsumed_);
    partial_ = r == Records::Result::kNeedMore;
    if (handshake_ != nullptr && (partial_ || r == Records::Result::kDone)) settle_records(!plain.empty());
    // Refusals of renegotiation: a peer that asks again and again, and never reads them, must not fill our memory.
    answer_bytes_ += queues_.out.size();
    if (answer_bytes_ > kMaxAnswers) return fail("too many handshake messages", CloseReason::kProtocolError, now);
    push(now);
    if (!plain.empty()) {
      unconsumed_ += plain.size();
      credit(now);
      user_->on_data(std::move(plain), now);
      if (state_ != State::kOpen) return;
    }
    switch (r) {
      case Records::Result::kDone: break;
      case Records::Result::kClosed: return peer_closed(now);
      case Records::Result::kNoBuffers: return host_.retry(*this, now);
      case Records::Result::kFailed:
        counts_.records_failed.add();
        return fail(records_->error(), CloseReason::kProtocolError, now);
      case Records::Result::kNeedMore:
        if (!fin_received_) return;
        // No close_notify. HTTP knows the length of its messages, so nothing can be cut off unnoticed but a response
        // that ends by close; and peers that simply close are many, above all once we have closed.
        truncated_ = true;
        if (!shut_) counts_.truncated.add();
        return peer_closed(now);
    }
  }
}

void Session::peer_closed(Instant now) {
  peer_closed_ = true;
  user_->on_peer_closed(now);
}

/// The lower window stays shut for as many bytes as wait in `in` or with the user. What records and handshake cost on
/// top, and bytes of a record that is not whole yet, are given back at once, so a window below 16 KB cannot lock up.
void Session::credit(Instant now) {
  const std::size_t kept = (partial_ ? 0 : queues_.in.size()) + unconsumed_;
  if (uncredited_ <= kept || below_ == nullptr) return;
  below_->consumed(uncredited_ - kept, now);
  uncredited_ = kept;
}

void Session::consumed(std::size_t n, Instant now) {
  unconsumed_ -= std::min(n, unconsumed_);
  early_left_ -= static_cast<std::uint16_t>(std::min<std::size_t>(n, early_left_));
  credit(now);
  if (held_ && unconsumed_ <= kMaxUnconsumed / 2) host_.schedule(*this, now);
}

// ---- Downwards ----

void Session::send(BufChain data, Instant now) {
  if (shut_ || below_ == nullptr || state_ >= State::kLingering) return;
  plain_out_.append(std::move(data));
  // Whole records go at once; the rest waits for what else comes in this loop.
  seal(kMaxRecord, now);
  if (!plain_out_.empty()) host_.schedule(*this, now);
  if (send_space() == 0) blocked_ = true;
}

std::size_t Session::send_space() const {
  if (below_ == nullptr || shut_) return 0;
  const std::size_t space = below_->send_space();
  const std::size_t queued = plain_out_.size() + queues_.out.size();
  return space > queued ? space - queued : 0;
}

/// Of plaintext at least so many, where it matters whether a request was read at all: at a client's end.
std::size_t Session::unsent_or_unacked() const {
  const std::size_t bytes = plain_out_.size() + queues_.out.size() + (below_ == nullptr ? 0 : below_->unsent_or_unacked());
  return bytes - (at_client() ? std::min(bytes, overhead_) : 0);
}

void Session::shutdown(Instant now) {
  if (shut_ || state_ >= State::kLingering) return;
  shut_ = true;
  host_.schedule(*this, now);
}

/// Seals as long as `at_least` bytes wait and the stream below has room. Calls no event.
void Session::seal(std::size_t at_least, Instant now) {
  if (!user_is_open() || below_ == nullptr || close_sent_ || seal_failed_) return;
  if (state_ == State::kEarly && handshake_->starved()) return;
  while (!plain_out_.empty() && plain_out_.size() >= at_least && below_->send_space() > queues_.out.size()) {
    sealed_ += plain_out_.size();
    const Records::Result r = records_->seal(plain_out_, now);
    sealed_ -= plain_out_.size();
    if (r == Records::Result::kDone) continue;
    if (r != Records::Result::kNoBuffers) seal_failed_ = true;
    host_.retry(*this, now);
    break;
  }
  push(now);
}

void Session::push(Instant now) {
  if (below_ == nullptr || close_sent_) {  // nor is there anything to say behind FIN
    queues_.out.clear();
  } else if (!queues_.out.empty()) {
    if (at_client() && below_->unsent_or_unacked() == 0) overhead_ = 0;
    overhead_ += queues_.out.size() - std::min(sealed_, queues_.out.size());
    sealed_ = 0;
    below_->send(std::move(queues_.out), now);
  }
}

/// Sends what can be sent, the end of our direction included.
void Session::write(Instant now) {
  if (below_ == nullptr) plain_out_.clear();
  seal(1, now);
  if (state_ != State::kOpen || !shut_ || close_sent_ || seal_failed_ || !plain_out_.empty()) return;
  if (below_ == nullptr) return;
  const Records::Result r = records_->close();
  if (r == Records::Result::kNoBuffers) return host_.retry(*this, now);
  push(now);
  close_sent_ = true;
  below_->shutdown(now);
}

bool Session::tell_writable(Instant now) {
  if (!user_is_open() || shut_) return false;
  const std::size_t space = send_space();
  if (!blocked_ || space == 0) {
    // Records are longer than what they carry: it may be full without the user having filled it.
    blocked_ = space == 0;
    return false;
  }
  blocked_ = false;
  user_->on_writable(now);
  return true;
}

void Session::on_writable(Instant now) {
  Scope scope(*this);
  do {
    write(now);
  } while (tell_writable(now));
}

void Session::run(Instant now) {
  Scope scope(*this);
  if (seal_failed_ && user_is_open()) {
    counts_.records_failed.add();
    return fail(records_->error(), CloseReason::kProtocolError, now);
  }
  receive(now);
  do {
    write(now);
  } while (tell_writable(now));
}

// ---- The end ----

void Session::abort(Instant now) {
  if (state_ >= State::kLingering) return;
  state_ = State::kDead;
  user_ = nullptr;
  if (below_ != nullptr) std::exchange(below_, nullptr)->abort(now);
  if (depth_ == 0) host_.recycle(*this);
}

void Session::on_closed(CloseReason reason, Instant now) {
  Scope scope(*this);
  below_ = nullptr;
  switch (state_) {
    case State::kConnecting: return finish(reason, now);
    case State::kFirstBytes:
    case State::kHandshake:
    case State::kEarly:
      if (reason == CloseReason::kNormal) reason = CloseReason::kProtocolError;
      error_ = "connection closed in the handshake";
      if (state_ != State::kFirstBytes) counts_.handshakes_failed.add();
      return finish(reason, now);
    case State::kOpen:
      if (reason != CloseReason::kNormal) return finish(reason, now);
      // The user may still have to read what is held back; the end is told behind it.
      fin_received_ = true;
      plain_out_.clear();
      return receive(now);
    case State::kLingering: state_ = State::kDead; return;
    case State::kDead: return;
  }
}

void Session::fail_handshake(std::string why, Instant now) {
  counts_.handshakes_failed.add();
  fail(std::move(why), CloseReason::kProtocolError, now);
}

/// The end by our own decision: what is in `out` (an alert) goes, then FIN; the rest of what the peer sends is thrown
/// away until it closes, because RST could overtake the alert.
void Session::fail(std::string why, CloseReason reason, Instant now) {
  error_ = std::move(why);
  host_.leave_queue(*this);
  push(now);
  plain_out_.clear();
  queues_.in.clear();
  unconsumed_ = 0;
  if (below_ == nullptr) return finish(reason, now);
  credit(now);
  below_->shutdown(now);
  host_.timers.arm(deadline_, now + kLingerTimeout);
  state_ = State::kLingering;
  std::exchange(user_, nullptr)->on_closed(reason, now);
  kinds_.emplace<std::monostate>();  // and with it the keys
  handshake_.reset();
  records_ = nullptr;
}

void Session::outlast() {
  deadline_.disarm();
  in_ready.unlink();
  queues_.in.clear();  // so that it comes no further than this flight
}

void Session::finish(CloseReason reason, Instant now) {
  state_ = State::kDead;
  std::exchange(user_, nullptr)->on_closed(reason, now);
}

void Session::on_deadline(void* self, Instant now) {
  Session& s = *static_cast<Session*>(self);
  Scope scope(s);
  if (s.below_ != nullptr) std::exchange(s.below_, nullptr)->abort(now);
  if (s.state_ == State::kLingering) {
    s.state_ = State::kDead;
    return;
  }
  s.error_ = "no handshake in time";
  s.host_.stats.handshakes_failed.add();
  s.host_.stats.handshake_timeouts.add();
  s.finish(CloseReason::kTimeout, now);
}

}  // namespace sluice::l7::tls
