// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"
#include "l4/tcp/sender.h"

namespace sluice::l4::tcp {

/// How long to wait for a buffer when there was none.
inline constexpr Duration kRetryAfter = std::chrono::milliseconds(10);

/// RFC 6298 for this connection, with the configured bounds.
Duration current_rto(const Connection& c);
/// Starts the retransmission timer when it does not run (RFC 6298, 5.1).
void arm_retransmit(Connection& c, Instant now);
/// After an ACK of something new (RFC 6298, 5.2 and 5.3).
void restart_retransmit(Connection& c, Instant now);
/// The window stays shut, but the peer says so: the next probe is due a (backed-off) RTO from now.
void probe_answered(Connection& c, Instant now);
/// Ends a connection that is stalled (sender.h).
void give_up_stalled(Connection& c, Instant now);
/// Which of retransmission and persist timer must run after output() got as far as `r`.
void arm_after_output(Connection& c, SendResult r, Instant now);

/// The earliest time at which on_deadline() has work.
Instant next_deadline(const Connection& c);
/// Does what is due: retransmission (RFC 6298, 5.4 to 5.7), zero-window probe (RFC 9293, 3.8.6.1), delayed
/// ACK, keepalive (3.8.4), the end of FIN-WAIT-2. output() follows.
void on_deadline(Connection& c, Instant now);

}  // namespace sluice::l4::tcp
