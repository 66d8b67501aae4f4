// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

namespace sluice::mgmt::ingress {

/// One JSON object a line on standard error: time, level, event, and the fields.
void log_line(std::string_view level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {});

}  // namespace sluice::mgmt::ingress
