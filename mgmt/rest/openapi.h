// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace sluice::mgmt::rest {

/// docs/openapi.json, built into the program.
std::string_view openapi_document();

}  // namespace sluice::mgmt::rest
