// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/routes.h"

#include <algorithm>

namespace sluice::net {

namespace {

/// RFC 4291, 2.5.6.
bool is_on_every_link(const IpAddr& a) { return a.is_v6() && a.is_link_local(); }

}  // namespace

/// Of several networks that hold the gateway the smallest.
std::optional<PortId> RouteTable::port_of(const StaticRoute& route, std::span<const Interface> interfaces) {
  if (is_on_every_link(route.gateway)) {
    return !route.port && interfaces.size() == 1 ? std::optional(PortId{0}) : route.port;
  }
  std::optional<PortId> port;
  unsigned longest = 0;
  for (std::uint32_t i = 0; i < interfaces.size(); ++i) {
    if (route.port && *route.port != PortId{i}) continue;
    for (const IpPrefix& p : interfaces[i].addresses) {
      if (!p.contains(route.gateway) || (port && p.length <= longest)) continue;
      port = PortId{i};
      longest = p.length;
    }
  }
  return port;
}

Result<RouteTable> RouteTable::make(std::span<const Interface> interfaces,
                                    std::span<const StaticRoute> routes) {
  RouteTable out;
  out.interfaces_ = interfaces.size();
  for (std::uint32_t i = 0; i < interfaces.size(); ++i) {
    for (const IpPrefix& p : interfaces[i].addresses) {
      (p.address.is_v4() ? out.v4_ : out.v6_).push_back({p, PortId{i}, std::nullopt});
    }
  }
  for (const StaticRoute& r : routes) {
    if (r.gateway.is_v4() != r.destination.address.is_v4()) {
      return Error{"route " + r.destination.to_string() + ": the gateway " + r.gateway.to_string() +
                   " is of another address family"};
    }
    const auto port = port_of(r, interfaces);
    if (!port) {
      const std::string gateway = r.gateway.to_string();
      return Error{"route " + r.destination.to_string() + ": " +
                   (is_on_every_link(r.gateway)
                        ? "the gateway " + gateway + " may be on any port's link; the port is not named"
                        : "no port has an address in the network of the gateway " + gateway)};
    }
    (r.gateway.is_v4() ? out.v4_ : out.v6_).push_back({r.destination, *port, r.gateway});
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
