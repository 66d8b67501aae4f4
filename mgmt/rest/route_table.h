// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mgmt/rest/call.h"

namespace sluice::mgmt::rest {

using Handler = std::function<Reply(const Call&)>;

struct Route {
  std::string method;   ///< "GET" answers HEAD, too.
  std::string pattern;  ///< "/api/v1/rules/{id}": a {name} stands for one path segment.
  Role role = Role::kViewer;
  Handler handler;
};

/// All that the server answers. Also the source for the test that compares it with docs/openapi.json.
class RouteTable {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  const std::vector<Route>& routes() const { return routes_; }

  /// Finds the route and fills call.captured. Null with an empty `allowed`: no such path (404); with methods
  /// in it: 405 and its Allow header.
  const Route* find(Call& call, std::string& allowed) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace sluice::mgmt::rest
