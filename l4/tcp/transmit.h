// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// Puts one segment of a connection on the wire, with the acknowledgement, window, timestamps and SACK blocks
/// of the moment: whatever is sent pays the debt of ACKs. `payload` follows the header; `ecn`: the
/// codepoint of the packet; `cut`: it goes out in segments of that much payload (0: it is one). False: no buffer.
bool transmit(Connection& c, SeqNum seq, std::uint8_t flags, BufChain payload, Instant now,
              std::uint8_t ecn = kNotEct, std::uint16_t cut = 0);
/// The sequence number of a segment without text: what follows all that was sent, so that the peer does not
/// take it for old; but within its window, or it would be refused.
inline SeqNum bare_seq(const Connection& c) {
  return c.synchronized() ? min(c.snd_nxt, c.snd_una + c.snd_wnd) : c.snd_nxt;
}
/// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
bool transmit_ack(Connection& c, Instant now);
/// SYN, or SYN with ACK, with the options that we offer or that were agreed upon.
bool transmit_syn(Connection& c, Instant now);

/// Bytes of option space that transmit() takes from a full segment now.
std::size_t option_bytes(const Connection& c);
/// Payload of a full segment without SACK blocks: the SMSS of RFC 5681.
std::uint32_t full_segment(const Connection& c);

/// One header, with no connection behind it (RST, and ACKs from TIME-WAIT). False: no buffer.
bool transmit_header(Env& env, const FlowKey& flow, Header header, BufChain payload = {},
                     std::uint8_t ecn = kNotEct, std::uint16_t cut = 0);

}  // namespace sluice::l4::tcp
