// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "mgmt/rest/api.h"

namespace sluice::mgmt::rest {

/// A group with its members' state: "up", "down", "unknown" (not probed, or without health check: used),
/// "draining" (weight 0 or drain). The group is "down" when it has members and none can be used, "empty"
/// without members.
nlohmann::json group_status(const Api& api, const config::ServerGroup& group);

/// The member's own id, or the "address:port" that stands for it.
std::string member_id(const config::Member& member);

}  // namespace sluice::mgmt::rest
