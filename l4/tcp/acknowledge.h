// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// What the acknowledgement of a segment does to the sending side (RFC 9293, 3.10.7.4, fifth step, in
/// synchronized states; the caller has checked that it is acceptable).
void process_acknowledgement(Connection& c, const Segment& s, Instant now);

}  // namespace sluice::l4::tcp
