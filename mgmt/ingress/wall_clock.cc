// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/wall_clock.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace sluice::mgmt::ingress {

std::int64_t unix_seconds_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::optional<std::int64_t> unix_seconds_of(const std::string& text) {
  std::tm t{};
  int end = 0, hours = 0, minutes = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%*1[Tt]%2d:%2d:%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min,
                  &t.tm_sec, &end) != 6 || end != 19)
    return std::nullopt;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  const std::int64_t seconds = timegm(&t);
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') at = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
  const std::string zone = text.substr(at);
  if (zone == "Z" || zone == "z") return seconds;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') ||
      std::sscanf(zone.c_str() + 1, "%2d:%2d", &hours, &minutes) != 2)
    return std::nullopt;
  const std::int64_t offset = hours * 3600 + minutes * 60;
  return zone[0] == '+' ? seconds - offset : seconds + offset;
}

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
