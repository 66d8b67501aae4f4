// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "pktgen-scripts/measure.h"

namespace sluice::pktgen {

std::string as_table(const Measurement& m, const Shape& shape);
std::string as_json(const Measurement& m, const Shape& shape);

}  // namespace sluice::pktgen
