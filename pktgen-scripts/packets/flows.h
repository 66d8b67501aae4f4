// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "pktgen-scripts/packets/packet_shape.h"

namespace sluice::pktgen::packets {

/// A source: IPv4 address in host order, and port.
struct Source {
  std::uint32_t address = 0;
  std::uint16_t port = 0;
  friend bool operator==(const Source&, const Source&) = default;
};

/// Which source the packet with a number has, and back. All flows take turns, in an order that jumps about,
/// so that the receiver's caches and prefetchers find no neighbourhood that real traffic would not have.
class Flows {
 public:
  Flows(std::uint64_t count, std::uint32_t first_address, std::uint32_t addresses)
      : count_(count), step_(kPrime % count), first_(first_address), addresses_(addresses) {}

  std::uint64_t count() const { return count_; }
  std::uint64_t flow_of(std::uint64_t packet) const { return packet % count_ * step_ % count_; }
  /// Of the packet after one of `flow`: the same without a division.
  std::uint64_t after(std::uint64_t flow) const {
    const std::uint64_t next = flow + step_;
    return next < count_ ? next : next - count_;
  }
  Source source(std::uint64_t flow) const {
    return {first_ + static_cast<std::uint32_t>(flow % addresses_),
            static_cast<std::uint16_t>(kFirstPort + flow / addresses_)};
  }
  /// The flow of a source, when it is one of ours.
  std::optional<std::uint64_t> flow_at(const Source& s) const {
    const std::uint32_t a = s.address - first_;
    if (a >= addresses_ || s.port < kFirstPort) return std::nullopt;
    const std::uint64_t flow = (s.port - kFirstPort) * std::uint64_t{addresses_} + a;
    if (flow >= count_) return std::nullopt;
    return flow;
  }

 private:
  static constexpr std::uint64_t kPrime =
      4294967291;  ///< Above every count, so its multiples visit all flows.
  std::uint64_t count_, step_;
  std::uint32_t first_, addresses_;
};

}  // namespace sluice::pktgen::packets
