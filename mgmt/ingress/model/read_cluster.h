// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// Adds an object of any kind that decides something, or each item of a List; others are passed over. For
/// folders of YAML and for tests; the controller itself reads kind by kind. `now`: Unix seconds.
void add_object(const nlohmann::json& object, std::int64_t now, Cluster& cluster);

}  // namespace sluice::mgmt::ingress
