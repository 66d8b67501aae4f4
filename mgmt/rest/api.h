// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mgmt/engine/engine.h"
#include "mgmt/rest/appliance.h"
#include "mgmt/rest/events.h"
#include "mgmt/rest/route_table.h"

namespace sluice::mgmt::rest {

/// What handlers work on. All of it outlives the server.
struct Api {
  Engine& engine;
  const Appliance& appliance;
  EventLog& events;
  bool metrics_auth = true;
};

/// All routes of the server: /healthz, /metrics, /api/v1/...
RouteTable make_routes(const Api& api);

// Its parts, a file each.
void add_resource_routes(RouteTable& table, const Api& api);
void add_config_routes(RouteTable& table, const Api& api);
void add_status_routes(RouteTable& table, const Api& api);
void add_explain_routes(RouteTable& table, const Api& api);
void add_ticket_key_routes(RouteTable& table, const Api& api);
void add_tls_policy_routes(RouteTable& table, const Api& api);

}  // namespace sluice::mgmt::rest
