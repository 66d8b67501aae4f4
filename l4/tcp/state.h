// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

std::string_view to_string(State s);

/// Changes the state, and does what goes with being there (RFC 9293, figure 5):
///
///   CLOSED --connect/SYN--> SYN-SENT --SYN,ACK/ACK--> ESTABLISHED
///   (LISTEN) --SYN/SYN,ACK--> SYN-RECEIVED --ACK--> ESTABLISHED
///   SYN-SENT --SYN/SYN,ACK--> SYN-RECEIVED                              (simultaneous open)
///   SYN-RECEIVED --shutdown/FIN--> FIN-WAIT-1
///   ESTABLISHED --shutdown/FIN--> FIN-WAIT-1 --ACK of FIN--> FIN-WAIT-2 --FIN/ACK--> TIME-WAIT
///   FIN-WAIT-1 --FIN/ACK--> CLOSING --ACK of FIN--> TIME-WAIT           (simultaneous close)
///   FIN-WAIT-1 --FIN,ACK of FIN/ACK--> TIME-WAIT
///   ESTABLISHED --FIN/ACK--> CLOSE-WAIT --shutdown/FIN--> LAST-ACK --ACK of FIN--> CLOSED
///   any --RST, abort, timeout--> CLOSED
///
/// A shutdown in SYN-SENT or SYN-RECEIVED is remembered and takes effect in ESTABLISHED, so that what was
/// queued before it is delivered.
void enter(Connection& c, State next, Instant now);

/// The connection is over for this reason: CLOSED, memory let go, the user to be told.
void finish(Connection& c, CloseReason reason, Instant now);

}  // namespace sluice::l4::tcp
