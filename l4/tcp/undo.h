// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

struct Connection;
struct AckNews;

/// What is needed to take a reduction of the window back when the retransmission turns out to have been
/// spurious; the algorithm remembers its own part (congestion.h).
struct Undo {
  /// Where RFC 5682 (F-RTO) stands after a timeout.
  enum class Frto : std::uint8_t { kNone, kHeadSent, kNewDataSent };

  std::uint32_t cwnd = 0, ssthresh = 0;  ///< Before.
  std::uint32_t first_again = 0;         ///< Our timestamp clock at the first retransmission; 0: none yet.
  /// Bytes sent again of which no D-SACK has told that they came twice.
  std::uint32_t unproven = 0;
  SeqNum until;       ///< D-SACKs of its retransmissions come up to here,
  bool over = false;  ///< once the recovery is over.
  bool armed = false;
  bool any_again = false;
  Frto frto = Frto::kNone;
};

/// Before the window is reduced.
void undo_arm(Connection& c);
/// Bytes are sent again.
void undo_sent_again(Connection& c, std::uint32_t bytes, Instant now);
/// Whether this ACK proves that what was sent again since undo_arm() had arrived: by the timestamp that it
/// echoes (Eifel, RFC 3522), by D-SACK blocks (RFC 2883; RFC 3708) or, after a timeout, by F-RTO (RFC 5682).
bool undo_proven(Connection& c, const AckNews& news);
/// RFC 4015, RFC 9438 4.9.2: the window and the algorithm's state as they were.
void undo_now(Connection& c);

/// After a timeout without timestamps: the first retransmission alone goes out, to see what comes back.
void frto_begin(Connection& c);
/// Whether losses are not to be looked for, because F-RTO waits for its second ACK.
inline bool frto_waits(const Undo& u) { return u.frto != Undo::Frto::kNone; }

}  // namespace sluice::l4::tcp
