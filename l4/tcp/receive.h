// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// SEGMENT ARRIVES (RFC 9293, 3.10.7) for a connection that exists; LISTEN and CLOSED are the stack's. Takes
/// the payload. What the user is to be told is in c.pending; what is to be sent follows with output().
void segment_arrives(Connection& c, Segment& s, Instant now);

}  // namespace sluice::l4::tcp
