// SPDX-License-Identifier: Apache-2.0
// How an exchange ends: with an answer of ours, complete, or visibly cut.
#include <utility>

#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"

namespace sluice::l7::proxy {
namespace {

/// As one piece of the target, where they stand together; the path alone where they do not
/// ("http://host?query").
std::string_view path_with_query(const http::RequestHead& request) {
  const std::string_view path = request.path, query = request.query;
  if (path.empty()) return request.target;
  if (query.empty() || query.data() != path.data() + path.size() + 1) return path;
  return {path.data(), path.size() + 1 + query.size()};
}

}  // namespace

void Exchange::reply_error(std::uint16_t status, std::string_view error, Instant now) {
  if (error.data() != record_.error.view().data()) record_.error.assign(error);
  // Details help the one who wrote a bad request; what goes on behind us is for the log only.
  const bool client_error = status >= 400 && status < 500;
  error_body(status, client_error ? record_.error.view() : std::string_view(), worker_.text);
  reply({.status = status,
         .body = worker_.text,
         .allow = status == 405 ? "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH" : std::string_view()},
        now);
}

/// Not 429 (RFC 6585, 4): it is not this client who sends too much. The connection stays: a new one would cost more.
void Exchange::reply_busy(std::string_view error, Instant now) {
  record_.error.assign(error);
  error_body(503, {}, worker_.text);
  reply({.status = 503, .body = worker_.text, .retry_after_s = 1}, now);
}

/// No response head was sent yet.
void Exchange::reply(const LocalReply& reply, Instant now) {
  if (passthrough_) return refuse_hello(reply.status, now);
  drop_upstream(now);
  end_attempt(reply.status == 502 || reply.status == 504);
  timer_.disarm();
  head_out_.clear();
  const bool all_read = discard_request_body(now);
  const bool keep = all_read && request_.keep_alive && session_->may_keep_alive(max_requests_);
  BufChain out;
  const ReplyContext context{
      .head_request = request_.method == http::Method::kHead, .close = !keep, .date = worker_.date.at(now),
      .strict_transport_security = hsts_.view(), .version = request_.version};
  if (!write_local_reply(reply, context, out, worker_.buffers)) {
    abort_client("no_memory", now);
    return;
  }
  record_.status = reply.status;
  if (!context.head_request) record_.response_bytes += reply.body.size();
  session_->send(std::move(out), now);
  finish(keep, now);
}

void Exchange::bad_response(std::string_view error, Instant now) {
  worker_.stats.upstream_bad_responses.add();
  reply_error(502, error, now);
}

void Exchange::abort_client(std::string_view error, Instant now) {
  record_.error.assign(error);
  drop_upstream(now);
  end_attempt(response_started_ && phase_ != Phase::kTunnel);
  timer_.disarm();
  phase_ = Phase::kDone;
  log(now);
  std::exchange(session_, nullptr)->exchange_aborted(now);
  worker_.retire(this);
}

void Exchange::on_client_gone(Instant now) {
  if (phase_ == Phase::kDone) return;
  record_.error.assign("client_closed");
  drop_upstream(now);
  end_attempt(false);
  timer_.disarm();
  phase_ = Phase::kDone;
  log(now);
  session_ = nullptr;
  worker_.retire(this);
}

/// All of the response is with the client's stream.
void Exchange::finish(bool keep_alive, Instant now) {
  if (up_ != nullptr) worker_.pool.close(std::exchange(up_, nullptr), now);
  end_attempt(false);
  timer_.disarm();
  phase_ = Phase::kDone;
  log(now);
  std::exchange(session_, nullptr)->exchange_done(keep_alive, now);
  worker_.retire(this);
}

void Exchange::log(Instant now) {
  Stats& stats = worker_.stats;
  stats.requests_active.sub();
  if (!passthrough_) stats.responses[record_.status < 600 ? record_.status / 100 : 0].add();
  if (!access_log_) return;
  record_.passthrough = passthrough_;
  record_.duration_ns = (now - first_byte_).count();
  record_.client = session_->flow().remote;
  record_.vip = session_->flow().local;
  record_.tls = session_->is_tls();
  record_.tls_version.assign(session_->tls_version());
  record_.method.assign(request_.method_text);
  record_.host.assign(request_.authority);
  record_.path.assign(path_with_query(request_));
  record_.user_agent.assign(request_.fields.find("user-agent").value_or(std::string_view()));
  record_.request_id.assign({request_id_.data(), request_id_size_});
  if (!worker_.shared.access_logs[worker_.id.value]->push(std::move(record_))) stats.access_log_dropped.add();
}

}  // namespace sluice::l7::proxy
