// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "pktgen-scripts/measure.h"

namespace sluice::pktgen {

std::string as_table(const Measurement& m, const Shape& shape);
std::string as_json(const Measurement& m, const Shape& shape);
nlohmann::ordered_json appliance_json(const ApplianceCounters& a);

}  // namespace sluice::pktgen
