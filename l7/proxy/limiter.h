// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "dataplane/base/drop.h"
#include "l7/snapshot.h"

namespace sluice::l7::proxy {

/// Asks a listener's limits and its load balancer's whether one more may come, and counts what does. One a worker; what
/// several workers do is joined in the MeterTable.
class Limiter {
 public:
  Limiter(limits::MeterTable& meters, WorkerId worker) : meters_(meters), worker_(worker) {}

  /// A SYN, or the ACK of a SYN cookie: why it is dropped. Charges nobody, because its source may be forged.
  std::optional<DropReason> refuses(const Listener& listener, const IpAddr& source, Instant now);
  /// Its TCP handshake is done. False: it is reset.
  bool admit(const Listener& listener, const IpAddr& source, Instant now);
  /// Before a TLS handshake costs anything. False: the connection is reset.
  bool begin_handshake(const Listener& listener, Instant now);
  /// False: 503.
  bool begin_request(const Listener& listener, Instant now);

  /// Where a connection counts as open until it has closed. Not by reference: the listener may go before it.
  struct Meters {
    MeterSlot own, balancer;
  };
  Meters opened(const Listener& listener);
  void closed(const Meters& meters);

 private:
  using Row = limits::MeterTable::PerWorker;
  Row& row(const Metered& m) { return meters_.at(m.slot, worker_); }
  bool full(const Metered& m) const {
    return m.limits.max_connections != 0 && meters_.active(m.slot) >= m.limits.max_connections;
  }
  bool refuse(const Metered& m, limits::Refusal why) {
    row(m).refused[static_cast<std::size_t>(why)].add();
    return false;
  }

  limits::MeterTable& meters_;
  const WorkerId worker_;
};

}  // namespace sluice::l7::proxy
