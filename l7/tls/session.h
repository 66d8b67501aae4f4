// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "dataplane/base/timer_wheel.h"
#include "l7/tls/handshake.h"
#include "l7/tls/openssl_records.h"
#include "l7/tls/own_records.h"
#include "l7/tls/session_cache.h"
#include "l7/tls/session_list.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::tls {

/// Times and bounds of a connection.
inline constexpr Duration kHandshakeTimeout = std::chrono::seconds(10);
/// How long the peer gets to take our alert and close, before RST.
inline constexpr Duration kLingerTimeout = std::chrono::seconds(2);
/// Plaintext that the user has not consumed; beyond, records stay closed and the lower window fills.
inline constexpr std::size_t kMaxUnconsumed = 256 * 1024;
/// Ciphertext that reading alone may cause to be sent in the life of a connection.
inline constexpr std::size_t kMaxAnswers = 64 * 1024;

/// What the sessions of one worker share, and ask of their layer.
struct SessionHost {
  SessionHost(BufPool& b, TimerWheel& t) : buffers(b), timers(t) {}
  virtual ~SessionHost() = default;
  /// Session::run() is called before the end of this loop.
  virtual void schedule(Session& s, Instant now) = 0;
  /// The same, in the next loop: there was no memory in this one.
  virtual void retry(Session& s, Instant now) = 0;
  /// Destroys it, at once or, with an engine still at its handshake, behind that.
  virtual void recycle(Session& s) = 0;
  /// Session::take_turn() is called when the handshake's turn comes. False: too many wait, or the gate is shut. Once it
  /// has `begun` there is always room.
  virtual bool queue_handshake(Session& s, bool begun, Instant now) = 0;
  virtual void leave_queue(Session& s) = 0;
  /// For a handshake that begins, when an engine is to do its private-key operations; null: software.
  virtual std::unique_ptr<AsyncJob> async_job(Session& s) = 0;

  BufPool& buffers;
  TimerWheel& timers;
  Stats stats;
  BackendStats backend_stats;
  RecordTools tools;
  SessionCache sessions;  ///< With backends.
  TicketSource tickets{nullptr, &stats.tickets_unknown};
  EarlyDataSource early{nullptr, &stats.early_data_replayed, &stats.early_data_crowded_out, &stats.early_data_too_soon};
  StapleSource staples{nullptr, &stats.statuses_stapled, &stats.statuses_missing};
};

/// One connection: the plaintext stream of its user, and the user of the stream below. The server's end begins with
/// kFirstBytes, the client's with kConnecting. kEarly: early data was accepted, and the user is open already.
///
///   kConnecting
///        |     open below
///        +----------------+    +---> kEarly ---+
///            first byte   v    |               v             user told the end,
///   kFirstBytes ----> kHandshake ------------------> kOpen   alert on its way
///        |                |        handshake done      |          |
///        | plain HTTP     | failed (kEarly, too)       | bad record
///        +----------------+----------------------------+----> kLingering ----> kDead
///        +----------------+----- closed below, abort() -+--------------------->
///
/// Events go up only from events of the stream below, from run() and from the timer, never from a call of the user:
/// what such a call makes possible is left to run(). Each of these entries holds a Scope, and the object goes when the
/// outermost one is left in kDead; user calls never destroy it inside an event. While an engine has an operation of the
/// handshake (with_engine()) nothing is done with it but by take_turn(), and an end outlasts it in kDead.
class Session final : public TlsStream, public l4::StreamEvents {
 public:
  Session(SessionHost& host, WorkerId worker, l4::Stream& below, std::shared_ptr<const ServerContext> context,
          l4::StreamEvents* user);
  Session(SessionHost& host, WorkerId worker, l4::Stream& below, std::shared_ptr<const BackendTls> backend,
          l4::StreamEvents* user);

  // Stream and TlsStream, for the user.
  void set_events(l4::StreamEvents* events) override { user_ = events; }
  const FlowKey& flow() const override { return flow_; }
  void send(BufChain data, Instant now) override;
  std::size_t send_space() const override;
  std::size_t unsent_or_unacked() const override;
  void consumed(std::size_t n, Instant now) override;
  void shutdown(Instant now) override;
  void abort(Instant now) override;
  SessionInfo session() const override { return info_; }
  std::string_view last_error() const override { return error_; }
  bool truncated() const override { return truncated_; }
  bool early() const override { return early_left_ != 0; }
  bool handshake_complete() const override { return state_ >= State::kOpen; }

  // StreamEvents, of the stream below.
  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override;
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;

  /// From the layer, once after schedule(): goes on with what waited.
  void run(Instant now);
  /// From the layer, after queue_handshake(). True: it may have cost much.
  bool take_turn(Instant now);
  SessionStats& counts() { return counts_; }
  bool with_engine() const { return handshake_ != nullptr && handshake_->paused(); }
  /// From the layer instead of its destruction, in kDead and with_engine().
  void outlast();
  /// At the end of the layer: goes on with the handshake, for nobody; gives it up.
  void step_for_nobody() { handshake_->step(); }
  std::unique_ptr<Handshake> leave_handshake() { return std::move(handshake_); }

  SessionLink in_all{this};
  SessionLink in_ready{this};
  SessionLink in_queue{this};

 private:
  enum class State : std::uint8_t { kConnecting, kFirstBytes, kHandshake, kEarly, kOpen, kLingering, kDead };
  class Scope;

  // Upwards.
  void receive(Instant now);
  void read_on(Instant now);
  void look_at_first_bytes(Instant now);
  void wait_for_turn(Instant now);
  void shake_hands(Instant now);
  void refuse(Instant now);
  void opened(Instant now);
  void opened_early(Instant now);
  void deliver_early(BufChain data, Instant now);
  void read(Instant now);
  void peer_closed(Instant now);
  void credit(Instant now);
  bool user_is_open() const { return state_ == State::kEarly || state_ == State::kOpen; }
  bool owes_record() const {
    const auto* theirs = std::get_if<OpensslRecords>(&kinds_);
    return state_ == State::kEarly && theirs->owes_record();
  }
  // session_start.cc
  bool at_client() const { return backend_ != nullptr; }
  SessionCache::Key cache_key() const { return {backend_->context->serial(), flow_.remote, backend_->server_name}; }
  std::unique_ptr<Handshake> begin_handshake();
  void note_agreed();
  void start_records();
  void choose_records();
  void keep_session();
  void settle_records(bool data);
  // Downwards.
  void seal(std::size_t at_least, Instant now);
  void push(Instant now);
  void write(Instant now);
  bool tell_writable(Instant now);
  // The end.
  void fail_handshake(std::string why, Instant now);
  void fail(std::string why, l4::CloseReason reason, Instant now);
  void finish(l4::CloseReason reason, Instant now);
  static void on_deadline(void* self, Instant now);

  SessionHost& host_;
  l4::Stream* below_;  ///< Null: gone.
  l4::StreamEvents* user_;
  std::shared_ptr<const ServerContext> context_;  ///< The server's end; null at the client's,
  std::shared_ptr<const BackendTls> backend_;     ///< which has this.
  SessionStats& counts_;
  FlowKey flow_;
  Timer deadline_{on_deadline, this};  ///< Of the handshake, then of lingering.

  CipherQueues queues_;
  std::unique_ptr<Handshake> handshake_;  ///< In kOpen: OpenSSL reads on until there was a ticket.
  std::variant<std::monostate, OwnRecords, OpensslRecords> kinds_;
  Records* records_ = nullptr;    ///< The one in `kinds_`.
  SessionInfo info_;              ///< Its views of the client's names are of `names_`.
  std::string names_;
  std::unique_ptr<ClientCertificate> client_certificate_;  ///< Of `info_`.
  BufChain plain_out_;            ///< From the user, not sealed yet.
  std::size_t unconsumed_ = 0;    ///< Plaintext given to the user, not consumed yet.
  std::size_t uncredited_ = 0;    ///< Ciphertext received, not consumed() below yet.
  std::size_t sealed_ = 0;        ///< Plaintext in what was put into `out` since the last push().
  std::size_t overhead_ = 0;      ///< Bytes sent that are not plaintext, since all was acknowledged.
  std::size_t answer_bytes_ = 0;  ///< Sent because of what was read, after the handshake.
  std::string error_;

  const WorkerId worker_;
  std::uint16_t early_left_ = 0;  ///< Of unconsumed_, at its front: early data.
  State state_ = State::kFirstBytes;
  std::uint8_t depth_ = 0;        ///< Scopes open.
  bool fin_received_ = false;     ///< From the stream below.
  bool peer_closed_ = false;      ///< The user was told.
  bool truncated_ = false;        ///< Without close_notify.
  bool shut_ = false;             ///< shutdown() was called.
  bool close_sent_ = false;       ///< close_notify and FIN are below.
  // Bits, so that an idle connection takes no more memory.
  bool held_ : 1 = false;         ///< Reading waits for consumed().
  bool partial_ : 1 = false;      ///< All that waits in `in` is part of a record.
  bool blocked_ : 1 = false;      ///< send_space() was 0; the user waits for on_writable.
  bool seal_failed_ : 1 = false;  ///< Inside a call of the user: run() will tell.
};

}  // namespace sluice::l7::tls
