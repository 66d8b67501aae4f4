// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "dataplane/base/buf.h"
#include "dataplane/base/counter.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/timer_wheel.h"
#include "l4/stream.h"
#include "l7/tls/backend_context.h"
#include "l7/tls/crypto_engine.h"
#include "l7/tls/replay_guard.h"
#include "l7/tls/server_context.h"
#include "l7/tls/staples.h"
#include "l7/tls/ticket_keys.h"

namespace sluice::l7::tls {

/// Counters of connections, whichever end of them we are.
struct SessionStats {
  Counter handshakes;           ///< Completed, full.
  Counter handshakes_resumed;
  Counter handshakes_failed;
  Counter peers_refused;        ///< Part of handshakes_failed: no certificate of the peer's where one is needed, or a wrong one.
  Counter records_failed;       ///< Bad record or alert from the peer after the handshake.
  Counter sessions;             ///< Gauge: open now, lingering ones included.
  Counter truncated;            ///< FIN without close_notify after the handshake.
  Counter taken_over;           ///< Handshakes after which records are our own (IPsec-MB).
  Counter left_with_openssl;    ///< Handshakes after which records stay with OpenSSL.
};

/// Counters of one worker's TLS with clients.
struct Stats : SessionStats {
  Counter handshake_timeouts;   ///< Part of handshakes_failed.
  Counter plain_http;           ///< Plain HTTP sent to the TLS port, answered 400; not in handshakes_failed.
  Counter tickets_unknown;      ///< Tickets that no key of ours opens (any more): full handshakes.
  Counter early_data_accepted;  ///< Connections with early data,
  Counter early_data_rejected;  ///< and those whose client tried in vain and sends it again. Of them:
  Counter early_data_replayed;     ///< The ClientHello has come before,
  Counter early_data_crowded_out;  ///< too many others have,
  Counter early_data_too_soon;     ///< or it may have, before the process began or the clock was set back.
  Counter statuses_stapled;     ///< Status requests (RFC 6066, 8) that were answered,
  Counter statuses_missing;     ///< and those for which there was no valid response.
  Counter handshakes_waiting;   ///< Gauge: for their turn, those with backends included.
  Counter handshakes_crowded_out;  ///< Reset before any work, because too many waited. Not in handshakes_failed.
  Counter handshakes_limited;   ///< The same by HandshakeGate.
  Counter engine_jobs;          ///< Pauses of handshakes for an operation of the engine.
  Counter engine_jobs_in_flight;  ///< Gauge.
  Counter engine_jobs_finished;
  Counter engine_jobs_held_back;  ///< Turns put off because the engine had as many jobs as it may.
  Counter engine_failures;      ///< Operations that the engine failed, done again in software; handshakes that providers failed.
  Counter engine_stalls;        ///< It had jobs, and finished none for a second.
  Counter engine_suspended;     ///< Gauge, 0 or 1: out of service for failures or a stall.
  Counter engine_bypassed;      ///< Handshakes in software because of that.
  Counter no_session;           ///< Refused in accept(): `max_sessions` are open, or no memory.
  void visit(MetricSink& sink, std::string_view labels) const;
};

/// And with backends.
struct BackendStats : SessionStats {
  void visit(MetricSink& sink, std::string_view labels) const;
};

/// What was agreed; valid after on_open. Views live as long as the stream.
struct SessionInfo {
  std::string_view version;      ///< "TLSv1.3"
  std::string_view cipher;
  std::string_view server_name;  ///< SNI, as sent; empty: none.
  std::string_view alpn;
  bool resumed = false;
  bool client_asked = false;  ///< For a certificate.
  const ClientCertificate* client_certificate = nullptr;  ///< Verified; null: it showed none.
};

/// One side of a TLS connection above a stream: a Stream itself, in plaintext, for its user. Its user's on_open comes after
/// the handshake; a handshake that fails is told by on_closed alone. Keeps its context alive.
///
///  - on_open may come before the end of a client's handshake when it has sent early data; on_writable then comes when that
///    is complete.
///  - on_peer_closed: close_notify, or a FIN without it (then truncated(): HTTP frames its own messages, a request never
///    ends by close, and many peers just close).
///  - on_closed(kProtocolError): handshake or record failure; the alert is on its way. kTimeout: no handshake in time.
class TlsStream : public l4::Stream {
 public:
  virtual SessionInfo session() const = 0;
  /// Why it failed, for logs; empty: it did not. May be asked up to and inside on_closed, as session() may.
  virtual std::string_view last_error() const = 0;
  /// After on_peer_closed: somebody may have cut off the peer's last bytes (RFC 8446, 6.1).
  virtual bool truncated() const = 0;
  /// The next byte that is not consumed() yet came as early data: others may have got it, too, from somebody who saw it go
  /// by (RFC 8446, 8).
  virtual bool early() const = 0;
  /// False: it may be such a repetition. After on_open only while early() data is all that has come.
  virtual bool handshake_complete() const = 0;
};

/// Is asked before a handshake begins to cost anything, once for each.
class HandshakeGate {
 public:
  virtual ~HandshakeGate() = default;
  /// False: the connection is reset.
  virtual bool may_begin(const FlowKey& flow, Instant now) = 0;
};

/// Makes and recycles the TLS streams of one worker.
class TlsLayer {
 public:
  /// While so many handshakes wait for a turn, new ones are reset before they have cost anything; those that have begun
  /// always find room. On a core that does 2,000 a second it is half a second's work: more would answer clients that have
  /// given up.
  static constexpr std::size_t kMaxWaiting = 1024;

  /// On the worker's thread. `gate`: null: everybody may begin. `engine`: null: private keys are used in software.
  /// `replays`: that of the process; null: early data is refused.
  TlsLayer(WorkerId worker, BufPool& buffers, TimerWheel& timers, std::size_t max_sessions,
           HandshakeGate* gate = nullptr, const CryptoEngine* engine = nullptr, ReplayGuard* replays = nullptr);
  ~TlsLayer();
  /// Puts TLS on `below`: takes its events over (returned here for Acceptor::accept to hand to the stack); `user` gets
  /// those of the plaintext stream, of which `*stream` is told at once (for set_events/abort before on_open). Null: no
  /// memory.
  l4::StreamEvents* accept(l4::Stream& below, std::shared_ptr<const ServerContext> context, l4::StreamEvents* user,
                           TlsStream** stream);
  /// The client side, to the backend that `below` connects to: set the returned events as those of `below`, and use
  /// `*stream` instead of it. The server's turn of a handshake has a deadline; here the user sets one and aborts. A session
  /// that the backend gave before is resumed. Null: no memory.
  l4::StreamEvents* connect(l4::Stream& below, std::shared_ptr<const BackendTls> backend, l4::StreamEvents* user,
                            TlsStream** stream);
  /// Session tickets are sealed by the first of these and opened by all. Valid until the next call. Null, as at first:
  /// no tickets.
  void use_ticket_keys(const TicketKeys* keys);
  /// What clients get that ask for a certificate's status. Valid until the next call. Null, as at first: nothing.
  void use_staples(const Staples* staples);
  /// Once a loop, from on_poll, before Stack::flush: encrypts what send() gathered in this loop and delivers what could
  /// not be delivered inside the user's own calls (so events come from in here, too). A timer does the same a tick
  /// later when nobody calls it.
  void flush(Instant now);
  /// Once a loop, when the output of established connections is on its way: goes on with handshakes that wait, those that
  /// have begun first, then the oldest, until one has cost a private key operation or a key exchange. So a storm of new
  /// clients keeps established ones waiting for one such operation a loop. With an engine: polls it, and goes on with those
  /// whose operation it has done before others. True: there was something to do.
  bool shake_hands(Instant now);
  const Stats& stats() const;
  const BackendStats& backend_stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::l7::tls
