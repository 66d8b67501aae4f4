// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "l7/access_log.h"

namespace sluice::mgmt::daemon {

/// Appends the record as one JSON object and a newline (docs/operations.md has the fields). `unix_ms`: the
/// time of the log line, which is the end of the request to within the writer's pause.
void append_access_line(std::string& out, const l7::AccessRecord& record, std::int64_t unix_ms);

}  // namespace sluice::mgmt::daemon
