// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/worker/app.h"
#include "l4/tcp/secrets.h"

namespace sluice::l4::tcp {

/// Local ports for connections that we open: RFC 6056, 3.3.4 (double-hash). Ports of one remote follow each
/// other, which spaces their reuse as far as possible; where they start cannot be guessed from those of
/// another remote.
class PortSelector {
 public:
  PortSelector(PortRange range, const Secrets& secrets) : range_(range), secrets_(secrets) {}

  /// `usable(port)` says whether the flow with that port is free. Empty: none is.
  template <class Usable>
  std::optional<std::uint16_t> choose(const IpAddr& local, const Endpoint& remote, Usable&& usable) {
    if (range_.last < range_.first || range_.first == 0) return std::nullopt;
    const std::uint32_t count = range_.last - range_.first + 1u;
    const std::uint32_t offset = secrets_.port_offset(local, remote);
    std::uint32_t& next = table_[secrets_.port_table_index(local, remote) % table_.size()];
    for (std::uint32_t tries = 0; tries < count; ++tries) {
      const auto port = static_cast<std::uint16_t>(range_.first + (offset + next++) % count);
      if (usable(port)) return port;
    }
    return std::nullopt;
  }

 private:
  const PortRange range_;
  const Secrets& secrets_;
  std::array<std::uint32_t, 64> table_{};
};

}  // namespace sluice::l4::tcp
