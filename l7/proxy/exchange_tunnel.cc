// SPDX-License-Identifier: Apache-2.0
// After 101: bytes both ways, each direction closed by itself (RFC 9110, 7.8).
#include <utility>

#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"
#include "l7/proxy/headers.h"

namespace sluice::l7::proxy {

void Exchange::begin_tunnel(Instant now) {
  if (!upgrade_ || !request_done_) {
    bad_response("unexpected_upgrade", now);
    return;
  }
  ResponseContext context{.framing = {}, .client_version = request_.version, .close = false, .upgrade = true};
  add_cookies(context);
  BufChain out;
  if (!write_client_response(response_, context, out, worker_.buffers)) {
    reply_error(503, "no_memory", now);
    return;
  }
  record_.status = 101;
  record_.error.assign({});
  record_.upstream_response_ns = (now - attempt_started_).count();
  response_started_ = true;
  phase_ = Phase::kTunnel;
  session_->stop_waiting();
  session_->send(std::move(out), now);
  pump_tunnel(now);
}

void Exchange::pump_tunnel(Instant now) {
  if (up_reset_) {
    abort_client("upstream_reset", now);
    return;
  }
  BufChain& in = session_->input();
  if (up_ != nullptr && !in.empty() && up_->stream().send_space() > 0) {
    const std::size_t n = in.size();
    record_.request_bytes += n;
    up_->stream().send(std::move(in), now);
    session_->stream().consumed(n, now);
  }
  if (up_ != nullptr && in.empty() && session_->peer_closed() && !std::exchange(up_shut_, true)) {
    up_->stream().shutdown(now);
  }
  if (!up_in_.empty() && session_->stream().send_space() > 0) {
    const std::size_t n = up_in_.size();
    record_.response_bytes += n;
    session_->send(std::move(up_in_), now);
    consume_upstream(n, now);
  }
  if (up_in_.empty() && up_eof_ && !std::exchange(client_shut_, true)) session_->stream().shutdown(now);
  if (client_shut_ && (up_shut_ || up_ == nullptr)) {
    finish(false, now);
    return;
  }
  worker_.timers.arm(timer_, now + tunnel_timeout_);
}

}  // namespace sluice::l7::proxy
