// SPDX-License-Identifier: Apache-2.0
// TLS that is not ours: the server name chooses a backend, and bytes are passed on both ways.
#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"
#include "l7/tls/plain_http.h"

namespace sluice::l7::proxy {
namespace {

using Hello = tls::ClientHello::Result;
using tls::Alert, tls::ContentType;

Alert alert_of(Hello r) {
  return r == Hello::kMalformed ? Alert::kDecodeError
         : r == Hello::kTooLong ? Alert::kRecordOverflow
                                : Alert::kUnexpectedMessage;
}

}  // namespace

void Exchange::pass_through(ClientSession& session, const Listener* listener, const tls::ClientHello& hello,
                            Instant first_byte, Instant now) {
  passthrough_ = true;
  server_name_.assign(hello.server_name);
  no_request();
  begin(session, listener, first_byte);
  request_done_ = true;
  request_.host = request_.authority = server_name_.view();
  if (hello.result != Hello::kDone) {
    worker_.stats.passthrough_refused.add();
    record_.error.assign("bad_client_hello");
    if (tls::look_at_first_bytes(session.input()) == tls::FirstBytes::kHttp) {
      BufChain answer;
      answer.append_copy(tls::plain_http_answer(), worker_.buffers);
      session.send(std::move(answer), now);
    } else {
      send_alert(alert_of(hello.result), now);
    }
    return finish(false, now);
  }
  if (listener == nullptr) return reply_error(503, "listener_removed", now);
  request_.path = "/";
  const Action* action = route(*listener, now);
  if (action == nullptr) return;
  request_.path = {};
  act(*action, now);
}

/// Where a request would get an answer of ours with that status.
void Exchange::refuse_hello(std::uint16_t status, Instant now) {
  drop_upstream(now);
  end_attempt(status == 502 || status == 504);
  timer_.disarm();
  worker_.stats.passthrough_refused.add();
  send_alert(status == 404 ? Alert::kUnrecognizedName : Alert::kInternalError, now);
  finish(false, now);
}

/// Fatal, in the clear: the client has no keys yet.
void Exchange::send_alert(Alert alert, Instant now) {
  constexpr std::uint8_t kFatal = 2;
  const std::uint8_t record[] = {static_cast<std::uint8_t>(ContentType::kAlert), 3, 3, 0, 2, kFatal,
                                 static_cast<std::uint8_t>(alert)};
  BufChain out;
  if (out.append_copy(std::span(record), worker_.buffers)) session_->send(std::move(out), now);
}

}  // namespace sluice::l7::proxy
