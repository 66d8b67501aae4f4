// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/timer_wheel.h"
#include "l7/http/message.h"
#include "l7/http1/body.h"
#include "l7/http1/head_storage.h"
#include "l7/http1/parser.h"
#include "l7/proxy/local_reply.h"
#include "l7/proxy/worker_state.h"
#include "l7/tls/protocol.h"
#include "l7/tls/client_hello.h"
#include "l7/upstream/pool.h"

namespace sluice::l7::proxy {

class ClientSession;
struct ResponseContext;

/// One request and its response:
///
///   serve() -> [local reply] ------------------------------------------------> kDone
///           -> kConnecting -> kAwaitingHead -> kResponding (body) ----------> kDone
///                 ^ next member |     |        kTunnel (101, both ways) -----> kDone
///                 +-------------+-----+ (nothing lost: retry)
///
/// The request body flows from kAwaitingHead on, independent of the response. Each direction reads only while
/// the other side has send space, so that memory is bounded by the windows. An exchange copies from the
/// snapshot what it needs for longer than one loop. Recycled by its WorkerState; never freed while the worker
/// runs.
class Exchange final : public upstream::ConnectionUser {
 public:
  explicit Exchange(WorkerState& worker);

  // The session parses into these before it starts the exchange.
  http::RequestHead& request() { return request_; }
  http1::HeadStorage& request_storage() { return request_storage_; }

  /// Whether the request, if it is early data, may be served although somebody else may have sent it again: when it is
  /// safe and brings nothing along. Any instance of us must come to the same (RFC 8470, 6.2).
  bool may_be_early() const;
  /// Request head complete; its body follows in the session's input. `early`: may_be_early(), and it is.
  void serve(ClientSession& session, const Listener& listener, bool early, Instant first_byte, Instant now);
  /// The head was no request (or came too late): answer and close. `listener` may be null.
  void refuse(ClientSession& session, const Listener* listener, std::uint16_t status, std::string_view error,
              Instant first_byte, Instant now);

  /// Instead of requests, on a listener that passes TLS on: `hello` was read, and stands in the session's input with all
  /// that follows it. `listener` may be null.
  void pass_through(ClientSession& session, const Listener* listener, const tls::ClientHello& hello, Instant first_byte,
                    Instant now);

  // From the session.
  void on_client_data(Instant now);
  void on_client_writable(Instant now);
  void on_client_half_closed(Instant now);
  void on_client_gone(Instant now);
  void on_client_timeout(Instant now);

  /// Back to the state of a new one, keeping its memory.
  void clear();

 private:
  enum class Phase : std::uint8_t { kNone, kConnecting, kAwaitingHead, kResponding, kTunnel, kDone };
  static constexpr std::size_t kMaxAttempts = 16;
  /// Of a request body, kept (by reference) until the first byte of the response, to be sent once more.
  static constexpr std::size_t kReplayBytes = 16 * 1024, kReplaySegments = 32;
  /// For response heads. Backends are configured, not strangers: roomier than for clients.
  static constexpr http1::Limits kResponseLimits{
      .max_line = 16 * 1024, .max_head = 64 * 1024, .max_fields = http::FieldList::kMax};

  // exchange.cc: the course of it.
  void begin(ClientSession& session, const Listener* listener, Instant first_byte);
  void no_request();
  const Action* route(const Listener& listener, Instant now);
  void act(const Action& action, Instant now);
  void connect_next(Instant now);
  bool connect_to(const ServerGroup& group, const Member& member, bool allow_idle, Instant now);
  void start_attempt(const ServerGroup& group, const Member& member);
  void end_attempt(bool failed);
  void note_error(std::string_view error, std::string_view detail);
  void drop_upstream(Instant now);
  void upstream_lost(std::string_view error, bool unread, Instant now);
  bool may_retry(bool unread) const;
  void on_timer(Instant now);
  void head_overdue(Instant now);
  void update_timers(Instant now);

  // exchange_sticky.cc
  std::optional<std::uint32_t> next_member(const ServerGroup& group);
  void remember_member(const ServerGroup& group, const Member& member);
  void add_cookies(ResponseContext& context);

  // exchange_request.cc: towards the backend.
  void send_request(Instant now);
  void pump_request(Instant now);
  bool pass_request_body(BufChain body, bool done, Instant now);
  void keep_for_replay(const BufChain& out);
  void send_upstream(BufChain out, Instant now);
  bool discard_request_body(Instant now);
  bool wants_client_body();

  // exchange_response.cc: towards the client.
  void advance_response(Instant now);
  bool parse_response_head(Instant now);
  bool forward_interim(Instant now);
  void send_continue(Instant now);
  bool begin_response(Instant now);
  void pump_response(Instant now);
  void end_of_upstream(BufChain out, Instant now);
  void complete_response(Instant now);
  void consume_upstream(std::size_t n, Instant now);

  // exchange_passthrough.cc
  void refuse_hello(std::uint16_t status, Instant now);
  void send_alert(tls::Alert alert, Instant now);

  // exchange_tunnel.cc
  void begin_tunnel(Instant now);
  void pump_tunnel(Instant now);

  // exchange_end.cc: how it ends.
  void reply_error(std::uint16_t status, std::string_view error, Instant now);
  /// 503, and when to come again.
  void reply_busy(std::string_view error, Instant now);
  void reply(const LocalReply& reply, Instant now);
  void bad_response(std::string_view error, Instant now);
  /// Response begun and not to be completed: the client must see it.
  void abort_client(std::string_view error, Instant now);
  void finish(bool keep_alive, Instant now);
  void log(Instant now);

  // upstream::ConnectionUser
  void on_upstream_open(Instant now) override;
  void on_connect_failed(upstream::ConnectFailure failure, std::string_view detail, Instant now) override;
  void on_upstream_data(BufChain data, Instant now) override;
  void on_upstream_writable(Instant now) override;
  void on_upstream_peer_closed(Instant now) override;
  void on_upstream_closed(l4::CloseReason reason, std::string_view detail, Instant now) override;

  WorkerState& worker_;
  ClientSession* session_ = nullptr;
  upstream::Connection* up_ = nullptr;
  Timer timer_;  // What the backend owes us; in a tunnel, any byte.
  Phase phase_ = Phase::kNone;

  // Request.
  http::RequestHead request_;
  http1::HeadStorage request_storage_;
  http1::BodyDecoder request_body_;
  bool request_done_ = false;     // Its body has been passed on to the end.
  BufChain replay_;               // What was sent of the body, framed, while replayable_.
  bool replayable_ = true;        // Nothing of the body is lost for another attempt.
  bool upgrade_ = false;          // Asked the backend for it.
  bool early_ = false;            // It came as early data.
  bool passthrough_ = false;      // No request at all, but TLS that is passed on.
  BoundedText<253> server_name_;  // Of that.
  static constexpr std::uint32_t kMaxInterims = 32;
  std::uint32_t interims_ = 0;    // 1xx responses of this exchange.
  bool awaits_continue_ = false;  // The client may be waiting for our 100.
  bool continue_sent_ = false;

  // Response.
  http::ResponseHead response_;
  http1::HeadStorage response_storage_;
  http1::ResponseParser response_parser_;
  http1::BodyDecoder response_body_;
  http::Framing client_framing_;
  BufChain up_in_;                 // From the backend, not passed on.
  BufChain head_out_;              // Response head that waits for the first body bytes of the same loop.
  bool response_started_ = false;  // A final head was sent to the client.
  bool keep_client_ = false;
  bool up_byte_seen_ = false;  // In this attempt.
  bool up_eof_ = false, up_reset_ = false;
  bool up_shut_ = false, client_shut_ = false;  // Tunnel: our FIN is sent.

  // Copied from the snapshot.
  GroupSlot group_;
  Duration connect_timeout_{}, request_timeout_{}, keep_alive_{};
  std::uint32_t max_idle_ = 0, connect_attempts_ = 0;
  Duration body_timeout_{}, tunnel_timeout_{};
  std::uint64_t max_body_ = 0;
  std::uint32_t max_requests_ = 0;
  bool trust_forwarded_ = false, access_log_ = false;
  std::uint8_t forwarded_fields_ = kForwardDefault;
  BoundedText<64> hsts_;

  // Stickiness, of the attempt that runs.
  Stickiness::Kind sticky_ = Stickiness::Kind::kNone;
  std::uint32_t sticky_max_age_ = 0;
  std::uint64_t mark_ = 0;
  std::optional<std::uint64_t> client_mark_;  // What the client came with.
  BoundedText<64> sticky_cookie_;

  // Attempts.
  std::array<BackendSlot, kMaxAttempts> tried_;
  std::size_t tried_count_ = 0;
  BackendSlot slot_;
  bool attempt_open_ = false;
  bool fresh_retry_done_ = false;
  bool all_timed_out_ = true;
  Instant first_byte_{}, attempt_started_{};
  std::size_t attempt_sent_ = 0;                        // Bytes.
  std::size_t unacked_seen_ = 0, up_unacked_seen_ = 0;  // At the last look: progress of a slow reader.

  std::array<char, 64> request_id_;
  std::size_t request_id_size_ = 0;
  AccessRecord record_;
};

}  // namespace sluice::l7::proxy
