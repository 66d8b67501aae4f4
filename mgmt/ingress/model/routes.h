// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>

#include "mgmt/ingress/model/backends.h"
#include "mgmt/ingress/model/instances.h"

namespace sluice::mgmt::ingress {

/// The rules of one load balancer, the same on both of its listeners, and what happens to a request that none
/// matches.
struct Routes {
  std::array<std::string, 2> listeners;
  std::optional<config::Action> default_action;  ///< None: 404.
};
void add_routes(const Instance& instance, const Options& options, Backends& backends, Routes& routes,
                Translation& out, Notices& notices);

}  // namespace sluice::mgmt::ingress
