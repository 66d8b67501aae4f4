// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/wall_clock.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace sluice::mgmt::ingress {

std::int64_t unix_seconds_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::string rfc3339_now(bool fraction) {
  using namespace std::chrono;
  const auto micros = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  const std::time_t seconds = micros / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32], out[48];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  if (!fraction) return std::string(date) + "Z";
  std::snprintf(out, sizeof out, "%s.%06dZ", date, static_cast<int>(micros % 1'000'000));
  return out;
}

}  // namespace sluice::mgmt::ingress
