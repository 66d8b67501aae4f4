// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace sluice::mgmt::daemon {

/// Appends `text` as a JSON string with its quotes (RFC 8259, 7). Any bytes are allowed: control characters
/// are escaped, valid UTF-8 stays, and each byte that belongs to no valid sequence becomes \u00XX with its
/// value, so that a log line is always valid JSON and no client can break out of it.
void append_json_string(std::string& out, std::string_view text);

}  // namespace sluice::mgmt::daemon
