// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/ip.h"
#include "dataplane/base/result.h"
#include "dataplane/net/interface.h"

namespace sluice::net {

struct StaticRoute {
  IpPrefix destination;
  IpAddr gateway;
  std::optional<PortId>
      port;  ///< Of the gateway; needed with a link-local one where there are several ports.
};

/// Longest prefix over the connected prefixes and the static routes. Immutable; shared by all workers. There
/// are few, so it is a list from the longest prefix to the shortest.
class RouteTable {
 public:
  struct NextHop {
    PortId port;
    IpAddr address;  ///< Whose link address to ask for: the gateway, or the destination itself.
  };

  /// A gateway must lie in a connected prefix of its own family, or be an IPv6 link-local address.
  static Result<RouteTable> make(std::span<const Interface> interfaces, std::span<const StaticRoute> routes);

  std::optional<NextHop> lookup(const IpAddr& destination) const;

 private:
  struct Entry {
    IpPrefix prefix;
    PortId port;
    std::optional<IpAddr> gateway;
  };
  static std::optional<PortId> port_of(const StaticRoute& route, std::span<const Interface> interfaces);

  std::vector<Entry> v4_, v6_;
  std::size_t interfaces_ = 0;
};

}  // namespace sluice::net
