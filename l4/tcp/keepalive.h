// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// RFC 9293, 3.8.4: when a connection on which nothing happens must be asked whether its peer still lives.
/// kNever while something is in flight: then the retransmission timer notices.
Instant keepalive_deadline(const Connection& c);
/// Sends a probe, or gives up after the configured number.
void on_keepalive(Connection& c, Instant now);

}  // namespace sluice::l4::tcp
