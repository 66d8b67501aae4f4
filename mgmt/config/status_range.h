// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace sluice::mgmt::config {

/// "204" or "200-399": HTTP statuses from 100 to 599, both ends included.
std::optional<std::pair<std::uint16_t, std::uint16_t>> parse_status_range(std::string_view text);

}  // namespace sluice::mgmt::config
