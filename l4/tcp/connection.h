// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "dataplane/base/clock.h"
#include "dataplane/base/ip.h"
#include "l4/stream.h"
#include "l4/tcp/congestion.h"
#include "l4/tcp/ecn.h"
#include "l4/tcp/env.h"
#include "l4/tcp/flight.h"
#include "l4/tcp/pacing.h"
#include "l4/tcp/pmtu.h"
#include "l4/tcp/prr.h"
#include "l4/tcp/rack.h"
#include "l4/tcp/reassembly.h"
#include "l4/tcp/rtt.h"
#include "l4/tcp/send_queue.h"
#include "l4/tcp/seq_num.h"
#include "l4/tcp/tlp.h"
#include "l4/tcp/undo.h"

namespace sluice::l4::tcp {

/// RFC 9293, 3.3.2. LISTEN has no connection: it is the stack's acceptor. TIME-WAIT is left at once for a
/// small entry of the time-wait table. enter() in state.h has the diagram and is the only place that changes
/// a state.
enum class State : std::uint8_t {
  kClosed,
  kSynSent,
  kSynReceived,
  kEstablished,
  kFinWait1,
  kFinWait2,
  kCloseWait,
  kClosing,
  kLastAck,
  kTimeWait,
};

/// What the user is to be told. The core only notes it; the stack delivers between segments and timers, in
/// the order opened, writable, data, peer_closed, closed.
struct PendingEvents {
  BufChain data;
  bool opened = false;
  bool writable = false;
  bool peer_closed = false;
  bool closed = false;
  CloseReason reason = CloseReason::kNormal;

  bool any() const { return opened || writable || !data.empty() || peer_closed || closed; }
};

/// RFC 7323, 3 to 5.
struct Timestamps {
  bool on = true;            ///< Offered; after the handshake: both sides have them.
  std::uint32_t offset = 0;  ///< Of our clock.
  std::uint32_t recent = 0;  ///< TS.Recent.
  Instant recent_at{};       ///< When TS.Recent was set, to notice that it is too old to compare.

  std::uint32_t clock(Instant now) const {
    return offset + static_cast<std::uint32_t>(now.time_since_epoch() / std::chrono::milliseconds(1));
  }
};

/// Where loss recovery stands: recovery.h.
struct Recovery {
  enum class Phase : std::uint8_t {
    kOpen,
    kFast,     ///< Fast recovery: the window comes down by PRR.
    kTimeout,  ///< After a retransmission timeout: slow start.
  };
  Phase phase = Phase::kOpen;
  std::uint8_t dup_acks = 0;  ///< Without SACK.
  std::uint32_t arrived = 0;  ///< Without SACK: bytes that duplicate ACKs say have left the network.
  SeqNum point;  ///< RecoveryPoint: snd_nxt when the loss (or timeout) was found. The phase ends there.
  Prr prr;
};

/// What is owed to the peer: ack_policy.h.
struct AckDebt {
  bool now = false;                    ///< An ACK must leave at the next output.
  std::uint8_t segments = 0;           ///< In-order data segments since the last ACK.
  std::optional<SackBlock> duplicate;  ///< To be reported by D-SACK.
};

/// Points in time at which on_deadline() has work. kNever: not armed.
struct Deadlines {
  Instant retransmit = kNever;  ///< RTO, or the zero-window probe when `persist`.
  Instant probe = kNever;       ///< Tail loss probe.
  Instant reorder = kNever;     ///< RACK: what was overtaken is lost if it has not come by then.
  Instant ack = kNever;         ///< Delayed ACK.
  Instant linger = kNever;      ///< FIN-WAIT-2.
  Instant resume = kNever;      ///< More may be sent: there was no buffer, or it was too early (pacing.h).
  bool persist = false;
};

/// The transmission control block: all that is known of one connection (RFC 9293, 3.3.1). Plain state; the
/// functions that change it are grouped by role, one header each: handshake, receive, sender, recovery,
/// retransmit, window, ack_policy, close, reset, pmtu. Owned by one worker.
struct Connection {
  Connection(Env& e, const FlowKey& f, bool passive_open)
      : env(e),
        flow(f),
        passive(passive_open),
        snd_buffer(e.config.send_buffer),
        rcv_buffer(e.config.receive_buffer),
        flight(e.flight),
        reassembly(e.blocks),
        congestion_control(e.congestion) {
    ecn.on = e.config.ecn;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Env& env;
  const FlowKey flow;
  State state = State::kClosed;
  const bool passive;        ///< Came from LISTEN.
  bool accepted = false;     ///< Was ESTABLISHED once.
  bool from_cookie = false;  ///< Our SYN,ACK was a SYN cookie.

  // Send sequence variables.
  SeqNum iss, snd_una, snd_nxt;
  SeqNum snd_wl1, snd_wl2;
  /// The soft bound of `queue`: Config::send_buffer, or twice the largest congestion window since a pause.
  std::uint32_t snd_buffer;
  std::uint32_t snd_wnd = 0, max_snd_wnd = 0;
  /// FlightSize (RFC 5681, 2) when output() was last through: what is outstanding less what the ACKs of one batch have
  /// taken away before it goes on is no measure of the path.
  std::uint32_t flight_size = 0;
  std::uint16_t snd_mss = 536;  ///< Largest payload with options, as peer and path allow.
  std::uint8_t snd_wscale = 0;

  // Receive sequence variables.
  std::uint8_t rcv_wscale = 0;
  std::uint16_t rcv_mss = 536;  ///< MSS that we announced.
  std::uint8_t quick_acks = 0;  ///< Segments yet to be acknowledged one by one: ack_policy.h.
  bool has_peer_fin = false;    ///< A FIN has arrived ahead of missing data, with
  SeqNum peer_fin;              ///< this number.
  SeqNum irs, rcv_nxt;
  SeqNum rcv_adv;                ///< Right edge of the window as last advertised; never moves left.
  SeqNum last_ack_sent;          ///< RFC 7323, Last.ACK.sent.
  std::uint32_t unconsumed = 0;  ///< Bytes that the user holds.
  std::uint32_t charge = 0;      ///< What these cost: see window.h.
  std::uint32_t rcv_buffer;      ///< What may be held: Config::receive_buffer, or more.
  SeqNum rcv_round;              ///< rcv_nxt when the round trip began that rcv_buffer is judged by,
  Instant rcv_round_at{};        ///< and when that was.

  bool window_scaling = true;  ///< Offered; after the handshake: both sides have it. So with the next.
  bool sack = true;
  bool syn_due = false;     ///< SYN, or SYN with ACK, is to be sent (again).
  bool fin_queued = false;  ///< The user has shut down; FIN follows the queue.
  bool fin_acked = false;
  bool send_blocked = false;          ///< The queue reached its bound: on_writable is owed.
  bool window_limited = false;        ///< cwnd stopped the last output(): it may grow.
  std::uint8_t keepalive_probes = 0;  ///< Unanswered.

  SendQueue queue;
  Flight flight;
  Reassembly reassembly;
  RttEstimator rtt;
  SeqNum rtt_mark;  ///< The next sample is of what lies above: one a round trip.
  CongestionWindow congestion;
  CongestionControl congestion_control;
  Recovery recovery;
  Rack rack;
  Tlp tlp;
  Ecn ecn;
  Undo undo;
  Pacer pacer;
  PathMtu pmtu;
  Timestamps timestamps;
  AckDebt ack_debt;
  Deadlines deadlines;
  PendingEvents pending;

  Instant
      progress_at{};  ///< Last time the peer acknowledged something new, or there was nothing to acknowledge.
  Instant stalled_at = kNever;  ///< Since when the peer's window holds less than a usual segment of what waits.
  Instant heard_at{};           ///< Last segment from the peer.
  Instant last_sent_at{};       ///< Last data.
  Instant next_challenge{Instant::min()};  ///< RFC 5961, 7: not earlier.

  /// Sequence number of the first queued byte.
  SeqNum queue_begin() const { return synchronized() ? snd_una : iss + 1; }
  SeqNum queue_end() const { return queue_begin() + static_cast<std::uint32_t>(queue.size()); }
  bool fin_sent() const { return fin_acked || (fin_queued && snd_nxt > queue_end()); }
  /// FlightSize (RFC 5681, 2).
  std::uint32_t outstanding() const { return static_cast<std::uint32_t>(snd_nxt - snd_una); }

  bool synchronized() const { return state >= State::kEstablished; }
  bool may_send_data() const {
    return state >= State::kEstablished && state != State::kFinWait2 && state != State::kTimeWait;
  }
  /// The peer may still send: nothing after its FIN.
  bool may_receive_data() const {
    return state == State::kEstablished || state == State::kFinWait1 || state == State::kFinWait2;
  }
};

/// A received segment: RFC 9293, 3.3.1, SEG.*.
struct Segment {
  Header header;
  BufChain payload;
  bool ce = false;  ///< Its packet met congestion (RFC 3168, 5).

  SeqNum seq() const { return header.seq; }
  SeqNum ack() const { return header.ack; }
  bool syn() const { return header.has(kSyn); }
  bool fin() const { return header.has(kFin); }
  bool rst() const { return header.has(kRst); }
  bool has_ack() const { return header.has(kAck); }
  /// SEG.LEN: payload, SYN and FIN.
  std::uint32_t length() const {
    return static_cast<std::uint32_t>(payload.size()) + (syn() ? 1 : 0) + (fin() ? 1 : 0);
  }
};

/// What the acknowledgement of one segment says about what we have sent.
struct AckNews {
  std::uint32_t acked = 0;      ///< Sequence space by which snd_una moved.
  std::uint32_t delivered = 0;  ///< Bytes newly acknowledged or SACKed.
  std::uint32_t in_flight_before = 0;
  bool sack_option = false, sack_news = false;
  bool original = false;                    ///< Something delivered was sent only once.
  bool duplicate_ack = false;               ///< RFC 5681, 2.
  bool congestion = false;                  ///< ECE: RFC 3168, 6.1.2.
  std::optional<SackBlock> duplicate;       ///< D-SACK (RFC 2883): what arrived twice.
  Duration oldest_rtt{-1}, newest_rtt{-1};  ///< Of what was sent only once; negative: nothing was.
  std::uint32_t echo = 0;                   ///< TSecr; 0: none.
};

}  // namespace sluice::l4::tcp
