// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sluice::mgmt::ingress {

std::int64_t unix_seconds_now();
/// "2026-01-02T03:04:05Z"; with `fraction` microseconds, as Leases and log lines have them.
std::string rfc3339_now(bool fraction);

}  // namespace sluice::mgmt::ingress
