// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/ids.h"
#include "dataplane/base/ip.h"
#include "dataplane/worker/app.h"

namespace sluice {

/// Which worker owns a flow: a pure function of its key, the same on every worker. The client side goes by a
/// hash of the client; a connection that we opened goes by its local port, which its worker drew from its own
/// part.
class FlowOwner {
 public:
  /// `workers` is at least 1 and at most the number of ports in `all`.
  FlowOwner(std::uint32_t workers, PortRange all, std::uint64_t seed)
      : workers_(workers), all_(all), part_((all.last - all.first + 1u) / workers), seed_(seed) {}

  /// `own_address`: the local address belongs to a port (it is not a VIP).
  WorkerId operator()(const FlowKey& flow, bool own_address) const {
    if (workers_ == 1) return {};
    if (own_address && flow.local.port >= all_.first && flow.local.port <= all_.last) {
      const std::uint32_t part = (flow.local.port - all_.first) / part_;
      return WorkerId{part < workers_ ? part : workers_ - 1};
    }
    // High bits by multiplication: no modulo on the packet path.
    return WorkerId{static_cast<std::uint32_t>((hash_value(flow.remote, seed_) >> 32) * workers_ >> 32)};
  }

  /// The ports that `w` draws from; the last worker has what the division leaves over.
  PortRange ports_of(WorkerId w) const {
    const auto first = static_cast<std::uint16_t>(all_.first + w.value * part_);
    const bool last = w.value + 1 == workers_;
    return {first, last ? all_.last : static_cast<std::uint16_t>(first + part_ - 1)};
  }

 private:
  std::uint32_t workers_;
  PortRange all_;
  std::uint32_t part_;
  std::uint64_t seed_;
};

}  // namespace sluice
