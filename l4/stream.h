// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "dataplane/base/buf.h"
#include "dataplane/base/ip.h"
#include "dataplane/base/clock.h"

namespace sluice::l4 {

/// Why a stream ended, as told by StreamEvents::on_closed.
enum class CloseReason : std::uint8_t {
  kNormal,        ///< Both directions finished.
  kPeerReset,     ///< RST from the peer.
  kRefused,       ///< RST to our SYN.
  kUnreachable,   ///< No route, neighbour unresolved or a hard ICMP error while connecting.
  kTimeout,       ///< Retransmissions, zero-window probes or keepalives went unanswered.
  kNoResources,   ///< A bound was reached (memory, connections, ports).
  kProtocolError, ///< TLS: handshake or record failure.
};
std::string_view to_string(CloseReason r);

/// The wall l4/tcp (or l7/tls) / l7, upwards. Implemented by the stream's user.
///
/// Rules:
///  - Calls come from the worker's thread, from within Stack::input, Stack::advance or a timer; never from inside a
///    call that the user makes on the Stream (no reentrancy), so a user may call anything on any Stream in them.
///  - on_open comes first (also for accepted streams), on_closed last; after on_closed, and after the user's own
///    abort(), there are no more calls and the Stream must not be touched.
///  - on_peer_closed comes once, after all data.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  virtual void on_open(Instant now) = 0;
  /// Bytes in order; their owner is now the user. They keep the receive window closed until Stream::consumed.
  virtual void on_data(BufChain data, Instant now) = 0;
  /// The send queue has drained to half of its bound after send_space() was 0.
  virtual void on_writable(Instant now) = 0;
  virtual void on_peer_closed(Instant now) = 0;
  virtual void on_closed(CloseReason reason, Instant now) = 0;
};

/// The wall l4/tcp (or l7/tls) / l7, downwards: a byte stream in both directions. Never owned by its user: it lives
/// until on_closed or abort().
class Stream {
 public:
  virtual ~Stream() = default;

  virtual void set_events(StreamEvents* events) = 0;
  virtual const FlowKey& flow() const = 0;

  /// Queues bytes. Always takes them: the bound is soft, and the user asks send_space() before it passes on bulk
  /// data. Sending starts at the latest with the worker's on_poll. Ignored after shutdown().
  virtual void send(BufChain data, Instant now) = 0;
  /// Bytes until the send queue (unacknowledged and unsent) reaches its bound; 0 when it is there.
  virtual std::size_t send_space() const = 0;
  /// Bytes queued that the peer has not acknowledged.
  virtual std::size_t unsent_or_unacked() const = 0;
  /// The user has passed on or dropped `n` bytes of those it got: opens the window.
  virtual void consumed(std::size_t n, Instant now) = 0;
  /// Ends our direction after what is queued (FIN, close_notify). The other direction goes on.
  virtual void shutdown(Instant now) = 0;
  /// Ends both at once (RST). No events follow.
  virtual void abort(Instant now) = 0;
};

}  // namespace sluice::l4
