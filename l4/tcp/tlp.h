// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "dataplane/base/clock.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

struct Connection;
struct AckNews;

/// Tail loss probe (RFC 8985, 7): when the ACKs stop, one segment, so that its SACK shows RACK what was lost,
/// instead of a timeout.
struct Tlp {
  std::optional<SeqNum> end;  ///< TLP.end_seq: a probe is out.
  bool again = false;         ///< TLP.is_retrans.
  bool restart = false;       ///< New data went out or was acknowledged since the timer was set.
};

/// Sets the probe timer where output() has left things (7.2).
void tlp_schedule(Connection& c, Instant now);
/// The probe timer ran out (7.3).
void tlp_send_probe(Connection& c, Instant now);
/// 7.4: whether the probe has repaired a loss that nobody else will notice.
bool tlp_detects_loss(Connection& c, const AckNews& news);

}  // namespace sluice::l4::tcp
