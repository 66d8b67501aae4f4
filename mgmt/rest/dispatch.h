// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <variant>

#include "mgmt/rest/events.h"
#include "mgmt/rest/route_table.h"

namespace sluice::mgmt::rest {

/// What is decided before the body is read: the route, or why there is none for this client.
/// `host_check`: refuse names that are not this machine's (DNS rebinding), for servers on loopback.
std::variant<const Route*, Reply> admit(Call& call, const RouteTable& routes, const Tokens& tokens,
                                        bool host_check);

/// Runs the handler; what it throws becomes a 500. Changes get an audit line and an event.
Reply run(const Route& route, const Call& call, EventLog& events);

/// Whether the Host header names the loopback: a page of another origin that points its name at 127.0.0.1
/// fails here.
bool is_loopback_host(std::string_view host);

}  // namespace sluice::mgmt::rest
