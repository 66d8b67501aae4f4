// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "l7/proxy/client_session.h"
#include "l7/proxy/headers.h"

namespace sluice::l7::proxy {
namespace {

/// How long a backend may leave a client's Expect: 100-continue unanswered before we answer it (RFC
/// 9110, 10.1.1 lets us).
constexpr Duration kContinueWait = std::chrono::seconds(1);

const upstream::Tls kPlainTcp;

/// X-Request-ID of our own: 128 random bits in hex.
std::size_t make_request_id(WorkerState& worker, std::array<char, 64>& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::size_t n = 0;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = worker.random();
    for (int i = 0; i < 16; ++i, bits >>= 4) out[n++] = kHex[bits & 15];
  }
  return n;
}

}  // namespace

Exchange::Exchange(WorkerState& worker)
    : worker_(worker),
      timer_([](void* self, Instant now) { static_cast<Exchange*>(self)->on_timer(now); }, this),
      response_parser_(kResponseLimits) {}

void Exchange::clear() {
  timer_.disarm();
  session_ = nullptr;
  up_ = nullptr;
  phase_ = Phase::kNone;
  passthrough_ = false;
  request_storage_.clear();
  response_storage_.clear();
  up_in_.clear();
  head_out_.clear();
  replay_.clear();
}

// ---- The course of a request
// ----------------------------------------------------------------------------------------

void Exchange::begin(ClientSession& session, const Listener* listener, Instant first_byte) {
  session_ = &session;
  phase_ = Phase::kNone;
  first_byte_ = first_byte;
  interims_ = 0;
  request_done_ = upgrade_ = awaits_continue_ = continue_sent_ = false;
  response_started_ = keep_client_ = up_byte_seen_ = up_eof_ = up_reset_ = up_shut_ = client_shut_ = false;
  attempt_open_ = fresh_retry_done_ = false;
  replayable_ = true;
  all_timed_out_ = true;
  tried_count_ = 0;
  sticky_ = Stickiness::Kind::kNone;
  client_mark_.reset();
  client_framing_ = {};
  record_.upstream_connect_ns = record_.upstream_response_ns = -1;
  record_.request_bytes = record_.response_bytes = 0;
  record_.status = 0;
  record_.upstream = {};
  record_.upstream_attempts = 0;
  record_.rule.assign({});
  record_.group.assign({});
  record_.error.assign({});
  record_.listener.assign(listener == nullptr ? std::string_view() : std::string_view(listener->id));
  if (listener != nullptr) {
    body_timeout_ = listener->body_timeout;
    tunnel_timeout_ = listener->tunnel_timeout;
    max_body_ = listener->max_body;
    max_requests_ = listener->max_requests_per_connection;
    trust_forwarded_ = listener->trust_forwarded;
    forwarded_fields_ = listener->forwarded_fields;
  }
  hsts_.assign(listener == nullptr ? std::string_view() : std::string_view(listener->strict_transport_security));
  access_log_ = listener == nullptr || listener->access_log;
  (passthrough_ ? worker_.stats.passthrough : worker_.stats.requests).add();
  worker_.stats.requests_active.add();
}

bool Exchange::may_be_early() const {
  return is_safe(request_.method) && request_.framing.kind == http::Framing::Kind::kNone && !request_.upgrade;
}

void Exchange::serve(ClientSession& session, const Listener& listener, bool early, Instant first_byte, Instant now) {
  begin(session, &listener, first_byte);
  early_ = early;
  if (early) worker_.stats.early_requests.add();
  request_body_.start(request_.framing);
  request_done_ = request_.framing.kind == http::Framing::Kind::kNone;
  awaits_continue_ = request_.expect_continue && !request_done_;
  const auto given_id = request_.fields.find(http::FieldName::kXRequestId);
  if (given_id && valid_request_id(*given_id)) {
    request_id_size_ = given_id->size();
    std::memcpy(request_id_.data(), given_id->data(), request_id_size_);
  } else {
    request_id_size_ = make_request_id(worker_, request_id_);
  }
  if (!worker_.limiter.begin_request(listener, now)) {
    reply_busy("request_rate", now);
    return;
  }
  // No tunnels to anywhere, and no echo of what others added to the request (RFC 9110, 9.3.6 and 9.3.8).
  if (request_.method == http::Method::kConnect || request_.method == http::Method::kTrace) {
    request_.keep_alive = false;  // What follows a CONNECT may be meant for the tunnel.
    reply_error(405, "method_not_allowed", now);
    return;
  }
  if (max_body_ != 0 && request_.framing.kind == http::Framing::Kind::kLength &&
      request_.framing.length > max_body_) {
    reply_error(413, "body_too_large", now);
    return;
  }
  if (const Action* action = route(listener, now)) act(*action, now);
}

/// What stands in for a request that is none.
void Exchange::no_request() {
  request_.method = http::Method::kOther;
  request_.version = http::Version::kHttp11;
  request_.framing = {};
  request_.keep_alive = false;
  request_.method_text = request_.target = request_.path = request_.query = request_.authority =
      request_.host = {};
  request_.fields.clear();
  request_id_size_ = 0;
}

void Exchange::refuse(ClientSession& session, const Listener* listener, std::uint16_t status,
                      std::string_view error, Instant first_byte, Instant now) {
  const bool malformed = status != 408 && status != 503;
  no_request();
  begin(session, listener, first_byte);
  request_done_ = true;
  worker_.text.assign(malformed ? "bad_request: " : "").append(error);
  record_.error.assign(worker_.text);
  if (malformed) worker_.stats.bad_requests.add();
  reply_error(status, record_.error.view(), now);
}

/// The action that decides, or null when the answer was given already.
const Action* Exchange::route(const Listener& listener, Instant now) {
  const route::NormalPath normal = route::normalise_path(request_.path, worker_.path_buffer);
  if (normal.error != route::PathError::kNone) {
    worker_.stats.bad_requests.add();
    request_.keep_alive = false;
    reply_error(normal.error == route::PathError::kTooLong ? 414 : 400, "bad_request: path", now);
    return nullptr;
  }
  if (listener.router != nullptr) {
    const route::RequestView view{.host = request_.host,
                                  .path = normal.path,
                                  .query = request_.query,
                                  .method = request_.method_text,
                                  .fields = &request_.fields,
                                  .source = session_->flow().remote.address};
    if (const Rule* rule = listener.router->match(view, worker_.scratch)) {
      record_.rule.assign(rule->id);
      return &rule->action;
    }
  }
  if (listener.default_action != nullptr) return listener.default_action.get();
  worker_.stats.no_route.add();
  reply_error(404, "no_route", now);
  return nullptr;
}

void Exchange::act(const Action& action, Instant now) {
  if (const auto* forward = std::get_if<ForwardAction>(&action)) {
    const WeightedGroup* choice = upstream::pick_group(forward->groups, worker_.random());
    if (choice == nullptr) {
      worker_.stats.no_backend.add();
      reply_error(503, "no_group", now);
      return;
    }
    group_ = choice->group;
    connect_next(now);
    return;
  }
  if (const auto* redirect = std::get_if<RedirectAction>(&action)) {
    const AddressText local = session_->flow().local.text();  // As a Host: value.
    const RedirectSource source{.scheme = session_->is_tls() ? "https" : "http",
                                .authority = request_.authority.empty() ? local.view() : request_.authority,
                                .host = request_.host.empty() ? local.view() : request_.host,
                                .path = request_.path,
                                .query = request_.query};
    redirect_location(*redirect, source, worker_.text);
    reply({.status = redirect->status, .location = worker_.text}, now);
    return;
  }
  const auto& fixed = std::get<FixedResponseAction>(action);
  reply({.status = fixed.status, .content_type = fixed.content_type, .body = fixed.body}, now);
}

// ---- Attempts
// -------------------------------------------------------------------------------------------------------

/// Tries members until one connection is ready or on its way, or answers.
void Exchange::connect_next(Instant now) {
  for (;;) {
    const ServerGroup* group = worker_.snapshot->group(group_);
    if (group == nullptr) {
      worker_.stats.no_backend.add();
      reply_error(503, "group_removed", now);
      return;
    }
    const std::size_t allowed = std::clamp<std::size_t>(group->connect_attempts, 1, kMaxAttempts);
    const auto index = tried_count_ >= allowed ? std::nullopt : next_member(*group);
    if (!index) {
      if (tried_count_ == 0) {
        worker_.stats.no_backend.add();
        record_.group.assign(group->id);
        reply_error(503, "no_backend", now);
      } else {
        if (all_timed_out_) worker_.stats.upstream_timeouts.add();
        reply_error(all_timed_out_ ? 504 : 502, record_.error.view(), now);
      }
      return;
    }
    const Member& member = group->members[*index];
    if (tried_count_ > 0) worker_.stats.upstream_retries.add();
    tried_[tried_count_++] = member.slot;
    start_attempt(*group, member);
    if (connect_to(*group, member, !passthrough_, now)) return;
  }
}

void Exchange::start_attempt(const ServerGroup& group, const Member& member) {
  slot_ = member.slot;
  attempt_open_ = true;
  auto& row = worker_.shared.backends.at(slot_, worker_.id);
  row.active.add();
  row.requests.add();
  ++record_.upstream_attempts;
  record_.upstream = member.address;
  record_.group.assign(group.id);
  connect_timeout_ = group.connect_timeout;
  request_timeout_ = group.request_timeout;
  keep_alive_ = group.keep_alive;
  max_idle_ = group.max_idle_per_worker;
  remember_member(group, member);
  attempt_sent_ = 0;
  up_byte_seen_ = false;
  up_eof_ = up_reset_ = false;
}

void Exchange::end_attempt(bool failed) {
  if (!std::exchange(attempt_open_, false)) return;
  auto& row = worker_.shared.backends.at(slot_, worker_.id);
  row.active.sub();
  if (failed) row.failures.add();
}

/// "tls: certificate has expired"
void Exchange::note_error(std::string_view error, std::string_view detail) {
  worker_.text.assign(error);
  if (!detail.empty()) worker_.text.append(": ").append(detail);
  record_.error.assign(worker_.text);
}

/// False: this member cannot be reached, and the attempt has ended.
bool Exchange::connect_to(const ServerGroup& group, const Member& member, bool allow_idle, Instant now) {
  attempt_started_ = now;
  const upstream::Tls& tls = passthrough_ ? kPlainTcp : group.tls;  // What is passed on is TLS already.
  if (allow_idle) {
    up_ = worker_.pool.take_idle(member.slot, member.address, tls, this, now);
    if (up_ != nullptr) {
      worker_.stats.upstream_reused.add();
      send_request(now);
      return true;
    }
  }
  upstream::ConnectFailure failure = upstream::ConnectFailure::kNone;
  up_ = worker_.pool.open({member.slot, member.address, connect_timeout_, tls}, this, &failure, now);
  if (up_ != nullptr) {
    phase_ = Phase::kConnecting;
    return true;
  }
  worker_.stats.upstream_connect_failures.add();
  all_timed_out_ = false;
  record_.error.assign(to_string(failure));
  end_attempt(true);
  return false;
}

void Exchange::on_upstream_open(Instant now) {
  worker_.stats.upstream_connects.add();
  record_.upstream_connect_ns = (now - attempt_started_).count();
  if (passthrough_) {
    phase_ = Phase::kTunnel;
    return pump_tunnel(now);
  }
  send_request(now);
}

void Exchange::on_connect_failed(upstream::ConnectFailure failure, std::string_view detail, Instant now) {
  up_ = nullptr;
  worker_.stats.upstream_connect_failures.add();
  if (failure != upstream::ConnectFailure::kTimeout) all_timed_out_ = false;
  note_error(to_string(failure), failure == upstream::ConnectFailure::kTls ? detail : std::string_view());
  end_attempt(true);
  connect_next(now);
}

/// Ends the use of the backend connection at once.
void Exchange::drop_upstream(Instant now) {
  if (up_ != nullptr) worker_.pool.abort(std::exchange(up_, nullptr), now);
  up_in_.clear();
}

/// The request may be sent once more: nothing of the response was seen, nothing of the body is lost, and
/// doing it twice does no harm (RFC 9110, 9.2.2), or it was certainly not done.
bool Exchange::may_retry(bool unread) const {
  return !up_byte_seen_ && !response_started_ && replayable_ && (unread || is_idempotent(request_.method));
}

/// The connection ended before the response head. `unread`: no byte of this attempt has reached the backend.
void Exchange::upstream_lost(std::string_view error, bool unread, Instant now) {
  const bool was_reused = up_ != nullptr && up_->reused();
  drop_upstream(now);
  timer_.disarm();
  session_->stop_waiting();  // The client owes nothing while the next attempt connects.
  if (error.data() != record_.error.view().data()) record_.error.assign(error);
  all_timed_out_ = false;
  if (!may_retry(unread)) {
    reply_error(502, error, now);
    return;
  }
  // A kept-alive connection that the backend had closed says nothing about the backend: the same once more,
  // afresh.
  const ServerGroup* group = worker_.snapshot->group(group_);
  if (was_reused && !std::exchange(fresh_retry_done_, true) && group != nullptr) {
    const auto same = std::find_if(group->members.begin(), group->members.end(),
                                   [this](const Member& m) { return m.slot == slot_; });
    if (same != group->members.end()) {
      worker_.stats.upstream_retries.add();
      end_attempt(false);
      start_attempt(*group, *same);
      if (connect_to(*group, *same, false, now)) return;
    }
  }
  end_attempt(true);
  connect_next(now);
}

// ---- Timers
// ---------------------------------------------------------------------------------------------------------

/// Arms what is being waited for: the client (its body, or room for the response), the backend, or both.
void Exchange::update_timers(Instant now) {
  if (phase_ != Phase::kAwaitingHead && phase_ != Phase::kResponding) return;
  const bool needs_body = wants_client_body();
  const bool client_full = phase_ == Phase::kResponding && session_->stream().send_space() == 0;
  if (needs_body || client_full) {
    unacked_seen_ = session_->stream().unsent_or_unacked();
    session_->wait_for_client(body_timeout_, now);
  } else {
    session_->stop_waiting();
  }
  if (phase_ == Phase::kAwaitingHead) {
    if (awaits_continue_)
      worker_.timers.arm(timer_, now + std::min(kContinueWait, request_timeout_));
    else if (needs_body)
      timer_.disarm();
    else
      worker_.timers.arm(timer_, now + request_timeout_);
    if (up_ != nullptr) up_unacked_seen_ = up_->stream().unsent_or_unacked();
  } else if (client_full || up_ == nullptr) {
    timer_.disarm();
  } else {
    worker_.timers.arm(timer_, now + request_timeout_);
  }
}

void Exchange::on_timer(Instant now) {
  switch (phase_) {
    case Phase::kAwaitingHead:
      head_overdue(now);
      return;
    case Phase::kResponding:
      worker_.stats.upstream_timeouts.add();
      abort_client("response_timeout", now);
      return;
    case Phase::kTunnel:
      record_.error.assign("tunnel_timeout");
      finish(false, now);
      return;
    case Phase::kNone:
    case Phase::kConnecting:
    case Phase::kDone:
      return;
  }
}

void Exchange::head_overdue(Instant now) {
  if (awaits_continue_) {
    send_continue(now);
    update_timers(now);
    return;
  }
  if (!request_done_ && up_->stream().unsent_or_unacked() != up_unacked_seen_) {
    update_timers(now);  // It takes the body slowly, but takes it.
    return;
  }
  worker_.stats.upstream_timeouts.add();
  reply_error(504, "request_timeout", now);
}

void Exchange::on_client_timeout(Instant now) {
  const std::size_t unacked = session_->stream().unsent_or_unacked();
  if (unacked != unacked_seen_ && phase_ == Phase::kResponding) {
    // Slow, but reading.
    unacked_seen_ = unacked;
    session_->wait_for_client(body_timeout_, now);
    return;
  }
  if (response_started_)
    abort_client("client_timeout", now);
  else
    reply_error(408, "body_timeout", now);
}

}  // namespace sluice::l7::proxy
