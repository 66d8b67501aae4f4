// SPDX-License-Identifier: Apache-2.0
// The response's way to the client.
#include <utility>

#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"
#include "l7/proxy/headers.h"

namespace sluice::l7::proxy {

using http::Framing;
using BodyStatus = http1::BodyDecoder::Status;

void Exchange::on_upstream_data(BufChain data, Instant now) {
  if (!std::exchange(up_byte_seen_, true)) replay_.clear();
  up_in_.append(std::move(data));
  if (phase_ == Phase::kTunnel)
    pump_tunnel(now);
  else
    advance_response(now);
}

void Exchange::on_client_writable(Instant now) {
  if (phase_ == Phase::kTunnel) {
    pump_tunnel(now);
  } else if (phase_ == Phase::kResponding) {
    pump_response(now);
    update_timers(now);
  }
}

void Exchange::consume_upstream(std::size_t n, Instant now) {
  if (n > 0 && up_ != nullptr) up_->stream().consumed(n, now);
}

void Exchange::advance_response(Instant now) {
  if (phase_ == Phase::kAwaitingHead && !parse_response_head(now)) return;
  pump_response(now);
  update_timers(now);
}

/// True: a final head stands in response_ and in head_out_.
bool Exchange::parse_response_head(Instant now) {
  for (;;) {
    const std::size_t before = up_in_.size();
    const http1::ParseResult result =
        response_parser_.parse(up_in_, request_.method, response_storage_, response_, worker_.buffers);
    consume_upstream(before - up_in_.size(), now);
    if (result.status == http1::ParseStatus::kNeedMore) return false;
    if (result.status == http1::ParseStatus::kError) {
      bad_response(result.reason, now);
      return false;
    }
    if (response_.status == 101) {
      begin_tunnel(now);
      return false;
    }
    if (response_.status >= 200) return begin_response(now);
    if (!forward_interim(now)) return false;
  }
}

/// 1xx (RFC 9110, 15.2): to clients that know them. False: the exchange is over.
bool Exchange::forward_interim(Instant now) {
  if (++interims_ > kMaxInterims) {  // They pass without back-pressure, so there is an end to them.
    bad_response("too_many_interim_responses", now);
    return false;
  }
  if (response_.status == 100) {
    awaits_continue_ = false;
    update_timers(now);
    if (std::exchange(continue_sent_, true)) return true;
  }
  if (request_.version == http::Version::kHttp10) return true;
  BufChain out;
  if (!write_interim_response(response_, out, worker_.buffers)) {
    reply_error(503, "no_memory", now);
    return false;
  }
  session_->send(std::move(out), now);
  return true;
}

/// The backend did not answer Expect in time: we do, and will swallow its 100 should it still come. So a
/// client that waits for 100 and a backend that waits for the body do not wait for each other.
void Exchange::send_continue(Instant now) {
  awaits_continue_ = false;
  continue_sent_ = true;
  response_.status = 100;
  response_.reason = {};
  response_.fields.clear();
  BufChain out;
  if (write_interim_response(response_, out, worker_.buffers)) session_->send(std::move(out), now);
}

/// False: no memory, the exchange is over.
bool Exchange::begin_response(Instant now) {
  awaits_continue_ = false;
  record_.status = response_.status;
  record_.error.assign({});  // Of an attempt that failed before this one.
  record_.upstream_response_ns = (now - attempt_started_).count();
  client_framing_ = response_.framing;
  if (client_framing_.kind == Framing::Kind::kChunked || client_framing_.kind == Framing::Kind::kUntilClose) {
    // No chunks for HTTP/1.0 (RFC 9112, 6.1); for 1.1 chunks rather than a close, whose cause nobody could
    // tell.
    client_framing_.kind =
        request_.version == http::Version::kHttp10 ? Framing::Kind::kUntilClose : Framing::Kind::kChunked;
  }
  // A response that comes before the request's end may be a refusal of the rest: the client learns that no
  // further request will be read (RFC 9112, 9.5 and 9.6).
  keep_client_ = request_.keep_alive && request_done_ && session_->may_keep_alive(max_requests_) &&
                 client_framing_.kind != Framing::Kind::kUntilClose;
  ResponseContext context{.framing = client_framing_,
                          .client_version = request_.version,
                          .close = !keep_client_,
                          .upgrade = false,
                          .strict_transport_security = hsts_.view()};
  add_cookies(context);
  head_out_.clear();
  if (!write_client_response(response_, context, head_out_, worker_.buffers)) {
    head_out_.clear();
    reply_error(503, "no_memory", now);
    return false;
  }
  response_body_.start(response_.framing);
  phase_ = Phase::kResponding;
  return true;
}

/// Passes on what the backend has sent, as far as the client takes it.
void Exchange::pump_response(Instant now) {
  if (phase_ != Phase::kResponding) return;
  if (head_out_.empty() && session_->stream().send_space() == 0) return;  // on_client_writable goes on.
  BufChain body;
  const std::size_t before = up_in_.size();
  const BodyStatus status = response_.framing.kind == Framing::Kind::kNone
                                ? BodyStatus::kDone
                                : response_body_.decode(up_in_, body, worker_.buffers);
  if (status == BodyStatus::kError || status == BodyStatus::kNoMemory) {
    const bool bad = status == BodyStatus::kError;
    if (response_started_)
      abort_client(bad ? response_body_.reason() : "no_memory", now);
    else if (bad)
      bad_response(response_body_.reason(), now);
    else
      reply_error(503, "no_memory", now);
    return;
  }
  consume_upstream(before - up_in_.size(), now);
  record_.response_bytes += body.size();
  BufChain out = std::move(head_out_);
  bool ok = true;
  if (client_framing_.kind == Framing::Kind::kChunked) {
    if (!body.empty()) ok = http1::encode_chunk(std::move(body), out, worker_.buffers);
    if (ok && status == BodyStatus::kDone) {
      ok = http1::encode_last_chunk(response_body_.trailers(), out, worker_.buffers);
    }
  } else {
    out.append(std::move(body));
  }
  if (!ok) {
    response_started_ ? abort_client("no_memory", now) : reply_error(503, "no_memory", now);
    return;
  }
  if (status != BodyStatus::kDone && up_eof_) {
    end_of_upstream(std::move(out), now);
    return;
  }
  if (!out.empty()) {
    response_started_ = true;
    session_->send(std::move(out), now);
  }
  if (status == BodyStatus::kDone) complete_response(now);
}

/// The backend's last byte has been decoded: either the body ends so, or the client must see that it is cut.
void Exchange::end_of_upstream(BufChain out, Instant now) {
  const bool complete = !up_reset_ && response_body_.finish() == BodyStatus::kDone;
  if (complete && client_framing_.kind == Framing::Kind::kChunked &&
      !http1::encode_last_chunk({}, out, worker_.buffers)) {
    abort_client("no_memory", now);
    return;
  }
  if (!out.empty()) {
    response_started_ = true;
    session_->send(std::move(out), now);
  }
  if (complete) {
    complete_response(now);
    return;
  }
  worker_.stats.upstream_bad_responses.add();
  abort_client("upstream_closed_in_body", now);
}

void Exchange::complete_response(Instant now) {
  const bool reusable = response_.keep_alive && request_done_ && up_in_.empty() && !up_eof_ &&
                        response_.framing.kind != Framing::Kind::kUntilClose;
  if (up_ != nullptr) {
    upstream::Connection* c = std::exchange(up_, nullptr);
    // Bytes behind the response, or a request that was not read to its end: nothing to part from politely.
    if (!up_in_.empty() || !request_done_)
      worker_.pool.abort(c, now);
    else if (reusable && !worker_.draining)
      worker_.pool.put_back(c, keep_alive_, max_idle_, now);
    else
      worker_.pool.close(c, now);
  }
  finish(keep_client_ && request_done_, now);
}

void Exchange::on_upstream_peer_closed(Instant now) {
  up_eof_ = true;
  switch (phase_) {
    case Phase::kAwaitingHead:
      // Its FIN crossed our request: what it did not acknowledge with it, it never read. So this race with a
      // backend's own idle timeout harms no method.
      upstream_lost("upstream_closed", up_->stream().unsent_or_unacked() >= attempt_sent_, now);
      return;
    case Phase::kResponding:
      up_reset_ = up_->truncated();  // No end of a body that ends by close.
      pump_response(now);
      update_timers(now);
      return;
    case Phase::kTunnel:
      pump_tunnel(now);
      return;
    case Phase::kNone:
    case Phase::kConnecting:
    case Phase::kDone:
      return;
  }
}

void Exchange::on_upstream_closed(l4::CloseReason reason, std::string_view detail, Instant now) {
  up_eof_ = true;
  up_reset_ |= reason != l4::CloseReason::kNormal;
  if (phase_ == Phase::kAwaitingHead) {
    note_error(reason == l4::CloseReason::kProtocolError ? "tls" : "upstream_reset", detail);
    upstream_lost(record_.error.view(), false, now);
    return;
  }
  up_ = nullptr;
  if (phase_ == Phase::kTunnel) {
    pump_tunnel(now);
  } else {
    pump_response(now);
    update_timers(now);
  }
}

}  // namespace sluice::l7::proxy
