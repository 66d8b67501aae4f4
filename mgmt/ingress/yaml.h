// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::mgmt::ingress {

/// The documents of a YAML text as JSON, by YAML's core schema: plain true, 12 and null are no texts. Aliases
/// are refused where they would make a text grow without bound.
Result<std::vector<nlohmann::json>> json_from_yaml(const std::string& text);

}  // namespace sluice::mgmt::ingress
