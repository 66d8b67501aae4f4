// SPDX-License-Identifier: Apache-2.0
// The request's way to the backend.
#include <utility>

#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"
#include "l7/proxy/headers.h"

namespace sluice::l7::proxy {
namespace {

/// Upgrades that we let two parties agree on. Not h2c: it would carry requests past the router.
bool may_upgrade(const http::RequestHead& request) {
  if (!request.upgrade) return false;
  for (const http::Field& f : request.fields) {
    if (f.id == http::FieldName::kUpgrade && http::list_has_token(f.value, "h2c")) return false;
  }
  return true;
}

}  // namespace

void Exchange::send_request(Instant now) {
  upgrade_ = may_upgrade(request_);
  const AddressText client = session_->flow().remote.address.text();
  const AddressText host = request_.authority.empty() ? session_->flow().local.text() : AddressText();
  const ForwardContext context{.client_address = client.view(),
                               .scheme = session_->is_tls() ? "https" : "http",
                               .default_host = host.view(),
                               .request_id = {request_id_.data(), request_id_size_},
                               .port = session_->flow().local.port,
                               .client_port = session_->flow().remote.port,
                               .fields = forwarded_fields_,
                               .trust_forwarded = trust_forwarded_,
                               .upgrade = upgrade_,
                               .early = early_,
                               .client = session_->client_verdict(),
                               .marked_cookie = sticky_ == Stickiness::Kind::kRewrite ? sticky_cookie_.view()
                                                                                      : std::string_view(),
                               .scratch = &worker_.cookie_text};
  BufChain out;
  if (!write_upstream_request(request_, context, worker_.text, out, worker_.buffers)) {
    reply_error(503, "no_memory", now);
    return;
  }
  if (!replay_.empty()) {
    BufChain again = replay_.share(0, replay_.size(), worker_.buffers);
    if (again.empty()) {
      reply_error(503, "no_memory", now);
      return;
    }
    out.append(std::move(again));
  }
  send_upstream(std::move(out), now);
  phase_ = Phase::kAwaitingHead;
  response_parser_ = http1::ResponseParser(kResponseLimits);
  pump_request(now);
  update_timers(now);
}

/// The only thing missing is a byte of the client's body.
bool Exchange::wants_client_body() {
  return !request_done_ && up_ != nullptr && session_->input().empty() && up_->stream().send_space() > 0;
}

/// Passes on what the client has sent of the body, as far as the backend takes it. Bytes that are not passed
/// on stay unconsumed in the session's input: at most a receive window.
void Exchange::pump_request(Instant now) {
  if (request_done_ || up_ == nullptr) return;
  if (phase_ != Phase::kAwaitingHead && phase_ != Phase::kResponding) return;
  BufChain& in = session_->input();
  if (!in.empty() && up_->stream().send_space() > 0) {
    BufChain body;
    const std::size_t before = in.size();
    const auto status = request_body_.decode(in, body, worker_.buffers);
    const std::size_t taken = before - in.size();
    if (taken > 0) {
      awaits_continue_ = false;
      session_->stream().consumed(taken, now);  // Whatever becomes of it: a kept connection needs its window.
    }
    record_.request_bytes += body.size();
    if (max_body_ != 0 && request_body_.decoded() > max_body_) {
      response_started_ ? abort_client("body_too_large", now) : reply_error(413, "body_too_large", now);
      return;
    }
    using Status = http1::BodyDecoder::Status;
    if (status == Status::kError) {
      worker_.stats.bad_requests.add();
      request_.keep_alive = false;
      response_started_ ? abort_client("bad_request: body", now) : reply_error(400, "bad_request: body", now);
      return;
    }
    if (status == Status::kNoMemory || !pass_request_body(std::move(body), status == Status::kDone, now)) {
      response_started_ ? abort_client("no_memory", now) : reply_error(503, "no_memory", now);
      return;
    }
    request_done_ = status == Status::kDone;
  }
  if (!request_done_ && in.empty() && session_->peer_closed()) abort_client("client_closed_in_body", now);
}

/// False: no memory.
bool Exchange::pass_request_body(BufChain body, bool done, Instant now) {
  BufChain out;
  if (request_.framing.kind == http::Framing::Kind::kChunked) {
    if (!body.empty() && !http1::encode_chunk(std::move(body), out, worker_.buffers)) return false;
    if (done && !http1::encode_last_chunk(request_body_.trailers(), out, worker_.buffers)) return false;
  } else {
    out = std::move(body);
  }
  if (out.empty()) return true;
  keep_for_replay(out);
  send_upstream(std::move(out), now);
  return true;
}

void Exchange::send_upstream(BufChain out, Instant now) {
  attempt_sent_ += out.size();
  up_->stream().send(std::move(out), now);
}

/// Small bodies are kept for a second attempt until the backend answers.
void Exchange::keep_for_replay(const BufChain& out) {
  if (!replayable_) return;
  BufChain kept;
  if (!up_byte_seen_ && replay_.size() + out.size() <= kReplayBytes &&
      replay_.segments() + out.segments() <= kReplaySegments) {
    kept = out.share(0, out.size(), worker_.buffers);
  }
  if (kept.empty()) {
    replayable_ = false;
    replay_.clear();
  } else {
    replay_.append(std::move(kept));
  }
}

/// Takes what is there of a body that nobody wants, so that the connection can be kept when that was all of
/// it.
bool Exchange::discard_request_body(Instant now) {
  if (request_done_) return true;
  BufChain& in = session_->input();
  BufChain waste;
  const std::size_t before = in.size();
  const auto status = request_body_.decode(in, waste, worker_.buffers);
  if (before != in.size()) session_->stream().consumed(before - in.size(), now);
  request_done_ = status == http1::BodyDecoder::Status::kDone;
  return request_done_;
}

void Exchange::on_client_data(Instant now) {
  if (phase_ == Phase::kTunnel) {
    pump_tunnel(now);
    return;
  }
  if (request_done_) return;  // Pipelined: waits its turn.
  pump_request(now);
  update_timers(now);
}

void Exchange::on_upstream_writable(Instant now) {
  if (phase_ == Phase::kTunnel) {
    pump_tunnel(now);
    return;
  }
  pump_request(now);
  update_timers(now);
}

void Exchange::on_client_half_closed(Instant now) {
  if (phase_ == Phase::kTunnel) {
    pump_tunnel(now);
  } else if (passthrough_) {
    return;  // The tunnel will pass it on.
  } else if (!request_done_ && phase_ == Phase::kConnecting) {
    // What is missing of the body can still be in the input, and is judged when it is passed on.
    if (session_->input().empty()) abort_client("client_closed_in_body", now);
  } else {
    pump_request(now);
    update_timers(now);
  }
}

}  // namespace sluice::l7::proxy
