// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::mgmt::ingress {

std::int64_t unix_seconds_now();
/// Of a time of RFC 3339, section 5.6; none: it is no such time.
std::optional<std::int64_t> unix_seconds_of(const std::string& text);
/// "2026-01-02T03:04:05Z"; with `fraction` microseconds, as Leases and log lines have them.
std::string rfc3339_now(bool fraction);

}  // namespace sluice::mgmt::ingress
