// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/net/packet.h"
#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// Generic receive offload: segments of one connection that follow one another in a burst are handled as one,
/// which costs the core once what it would cost for each.

/// Whether joined text is as good as its parts: it is what the connection waits for. Above a gap each segment is
/// to be answered by its own ACK (RFC 5681, 4.2).
bool may_join(const Connection& c, const net::Packet& first);

/// Appends the text of `next` to `first` if it follows it and their headers say the same (PSH of the last counts). Bulk only.
/// False: neither has changed.
bool join(net::Packet& first, net::Packet& next);

}  // namespace sluice::l4::tcp
