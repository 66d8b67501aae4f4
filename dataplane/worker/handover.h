// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "dataplane/base/spsc_ring.h"
#include "dataplane/net/neighbor_table.h"
#include "dataplane/net/packet.h"

namespace sluice {

/// A finished frame for the worker that owns the port's TX queue.
struct OutFrame {
  PortId port;
  BufChain frame;
};

/// What one worker gives to another.
using Handover = std::variant<std::monostate, net::Packet, net::IcmpError, net::NeighborUpdate, OutFrame>;

/// One ring for each ordered pair of workers, so that each has one writer and one reader.
class HandoverRings {
 public:
  static constexpr std::size_t kCapacity = 4096;

  explicit HandoverRings(std::uint32_t workers) : workers_(workers) {
    rings_.resize(std::size_t{workers} * workers);
    for (std::uint32_t from = 0; from < workers; ++from) {
      for (std::uint32_t to = 0; to < workers; ++to) {
        if (from != to) rings_[from * workers + to] = std::make_unique<SpscRing<Handover>>(kCapacity);
      }
    }
  }
  SpscRing<Handover>& ring(WorkerId from, WorkerId to) { return *rings_[from.value * workers_ + to.value]; }

 private:
  std::uint32_t workers_;
  std::vector<std::unique_ptr<SpscRing<Handover>>> rings_;
};

}  // namespace sluice
