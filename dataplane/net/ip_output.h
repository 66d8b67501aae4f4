// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>

#include "dataplane/base/clock.h"
#include "dataplane/net/packet.h"

namespace sluice::net {

/// The wall dataplane / l4, downwards. Implemented by the worker's IP layer, by tests with a recorder.
/// Thread: the worker's own.
class IpOutput {
 public:
  virtual ~IpOutput() = default;

  /// Takes every packet of the batch: routes it, resolves the neighbour, fills the checksum and queues it for the
  /// port's next flush. What cannot be sent counts under a DropReason; the sender's retransmission recovers.
  virtual void send(std::span<OutPacket> batch, Instant now) = 0;

  /// Largest IP packet, in bytes, towards `destination`: interface or route MTU. 0: no route.
  virtual std::uint16_t mtu(const IpAddr& destination) const = 0;

  /// Address of ours to use as the source towards `destination` (same family), from the interface that the route
  /// takes. Empty: no route, or no address of that family.
  virtual std::optional<IpAddr> source_for(const IpAddr& destination) const = 0;
};

}  // namespace sluice::net
