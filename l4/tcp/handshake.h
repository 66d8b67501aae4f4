// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// CLOSED to SYN-SENT (RFC 9293, 3.10.1, active OPEN). `mtu`: largest IP packet towards the peer.
void open_active(Connection& c, SeqNum iss, std::uint16_t mtu, Instant now);
/// LISTEN to SYN-RECEIVED (3.10.7.2, third step). Text of the SYN is not taken; it comes again.
void open_passive(Connection& c, SeqNum iss, const Segment& syn, std::uint16_t mtu, Instant now);
/// SYN-RECEIVED as it would be had a SYN cookie been a connection's SYN,ACK.
void open_from_cookie(Connection& c, SeqNum iss, const Segment& syn, std::uint16_t mtu, Instant now);
/// SYN-SENT meets the peer's SYN (3.10.7.3, fourth step): with `ack` ESTABLISHED, else SYN-RECEIVED.
void meet_syn(Connection& c, const Segment& s, Instant now);
/// Our SYN is acknowledged: ESTABLISHED. `shift` scales this segment's window.
void establish(Connection& c, const Segment& s, std::uint8_t shift, Instant now);

/// The MSS of a peer that does not say (RFC 9293, 3.7.1).
std::uint16_t default_mss(const IpAddr& peer);
/// The MSS that we offer on a path of this MTU.
std::uint16_t offered_mss(const Config& config, std::uint16_t mtu, const IpAddr& peer);
/// Bytes of TCP payload and options in an IP packet of `mtu` bytes.
std::uint16_t mss_of(std::uint16_t mtu, const IpAddr& peer);

}  // namespace sluice::l4::tcp
