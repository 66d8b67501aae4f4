// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/routes.h"

#include <algorithm>

namespace sluice::net {

Result<RouteTable> RouteTable::make(std::span<const Interface> interfaces,
                                    std::span<const StaticRoute> routes) {
  RouteTable out;
  out.interfaces_ = interfaces.size();
  for (std::uint32_t i = 0; i < interfaces.size(); ++i) {
    for (const IpPrefix& p : interfaces[i].addresses) {
      (p.address.is_v4() ? out.v4_ : out.v6_).push_back({p, PortId{i}, std::nullopt});
    }
  }
  const std::vector<Entry> connected_v4 = out.v4_, connected_v6 = out.v6_;
  for (const StaticRoute& r : routes) {
    if (r.gateway.is_v4() != r.destination.address.is_v4()) {
      return Error{"route " + r.destination.to_string() + ": the gateway " + r.gateway.to_string() +
                   " is of another address family"};
    }
    const auto& connected = r.gateway.is_v4() ? connected_v4 : connected_v6;
    const Entry* via = nullptr;
    for (const Entry& e : connected) {
      if (e.prefix.contains(r.gateway) && (via == nullptr || e.prefix.length > via->prefix.length)) via = &e;
    }
    if (via == nullptr) {
      return Error{"route " + r.destination.to_string() +
                   ": no port has an address in the network of the gateway " + r.gateway.to_string()};
    }
    (r.gateway.is_v4() ? out.v4_ : out.v6_).push_back({r.destination, via->port, r.gateway});
  }
  for (auto* list : {&out.v4_, &out.v6_}) {
    // Stable: connected before static, and the order of the file, among equals.
    std::ranges::stable_sort(
        *list, [](const Entry& a, const Entry& b) { return a.prefix.length > b.prefix.length; });
  }
  return out;
}

std::optional<RouteTable::NextHop> RouteTable::lookup(const IpAddr& destination) const {
  if (destination.is_v6() && destination.is_link_local()) {
    // Every link has fe80::/10, so the address alone names a port only where there is one.
    if (interfaces_ != 1) return std::nullopt;
    return NextHop{PortId{0}, destination};
  }
  for (const Entry& e : destination.is_v4() ? v4_ : v6_) {
    if (e.prefix.contains(destination)) return NextHop{e.port, e.gateway.value_or(destination)};
  }
  return std::nullopt;
}

}  // namespace sluice::net
