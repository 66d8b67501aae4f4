// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// Tells the peer that the connection is gone.
void send_reset(Connection& c);
/// And that it is over for us: the peer has kept us waiting for too long.
void reset_after_timeout(Connection& c, Instant now);
/// RFC 9293, 3.10.7.1: answers a segment for which there is no connection. Nothing answers a RST.
void answer_with_reset(Env& env, const FlowKey& flow, const Segment& s);

/// RFC 5961: an ACK instead of belief, so that only who sees our sequence numbers can reset us. Section 7:
/// limited, by connection, because a limit for all connections can be observed from outside.
void challenge_ack(Connection& c, Instant now);
inline constexpr Duration kChallengeInterval = std::chrono::milliseconds(100);

/// RFC 9293, 3.10.7.4, first step: answers a segment that is not acceptable with an ACK. Without payload it
/// is limited like a challenge, so that two confused peers do not answer each other for ever.
void acknowledge_unacceptable(Connection& c, const Segment& s, Instant now);

}  // namespace sluice::l4::tcp
