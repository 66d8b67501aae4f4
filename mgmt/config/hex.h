// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::mgmt::config {

/// Two lower-case digits a byte.
std::string to_hex(std::string_view bytes);
/// Either case; none: an odd number of digits, or something else among them.
std::optional<std::string> from_hex(std::string_view text);

}  // namespace sluice::mgmt::config
