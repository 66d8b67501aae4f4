// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/wall_clock.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace sluice::mgmt::ingress {

std::int64_t unix_seconds_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::optional<std::int64_t> unix_seconds_of(const std::string& text) {
  using namespace std::chrono;
  const auto has_form = [&text](std::size_t at, std::string_view form) {  // '0': any digit.
    return text.size() >= at + form.size() && std::equal(form.begin(), form.end(), text.begin() + at, [](char f, char c) {
             return f == '0' ? c >= '0' && c <= '9' : f == c;
           });
  };
  const auto number = [&text](std::size_t at, std::size_t digits) { return std::stoi(text.substr(at, digits)); };
  if (!has_form(0, "0000-00-00T00:00:00") && !has_form(0, "0000-00-00t00:00:00")) return std::nullopt;
  const year_month_day date{year(number(0, 4)), month(number(5, 2)), day(number(8, 2))};
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;  // 60: a leap second.
  std::size_t zone = 19;
  if (has_form(zone, ".0")) zone = std::min(text.find_first_not_of("0123456789", zone + 1), text.size());
  int offset = 0;  // Minutes.
  if (has_form(zone, "+00:00") || has_form(zone, "-00:00")) {
    const int hours = number(zone + 1, 2), minutes = number(zone + 4, 2);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset = (hours * 60 + minutes) * (text[zone] == '+' ? 1 : -1);
    zone += 6;
  } else if (has_form(zone, "Z") || has_form(zone, "z")) {
    zone += 1;
  } else {
    return std::nullopt;
  }
  if (zone != text.size()) return std::nullopt;
  return sys_seconds(sys_days(date)).time_since_epoch().count() + hour * 3600 + minute * 60 + second - offset * 60;
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
