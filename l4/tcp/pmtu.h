// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/net/packet.h"
#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// ICMP errors about a connection. RFC 5927: anybody can send one, so the quoted sequence number must be in
/// flight. Too big (RFC 1191, RFC 8201): smaller segments, within bounds, and what is in flight goes out
/// again. Unreachable: ends a connection only while it is being opened (5927, 6); later it is a hint, and
/// retransmission decides.
void icmp_error_arrives(Connection& c, const net::IcmpError& e, Instant now);

/// A retransmission timeout: where large segments vanish without a word (RFC 2923, 2.1), the second one for
/// the same data goes on with segments that pass everywhere.
void suspect_black_hole(Connection& c);

}  // namespace sluice::l4::tcp
