// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// The closing half of the state diagram (RFC 9293, 3.6 and 3.10.4).

/// The user has no more to send: FIN follows the queue.
void close_sending(Connection& c, Instant now);
/// The peer has acknowledged our FIN. (RFC 9293, 3.10.7.4, fifth step.)
void on_fin_acknowledged(Connection& c, Instant now);
/// The peer's FIN is next in order. (Eighth step.)
void on_peer_fin(Connection& c, Instant now);

}  // namespace sluice::l4::tcp
