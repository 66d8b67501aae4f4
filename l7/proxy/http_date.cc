// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/http_date.h"

#include <chrono>

namespace sluice::l7::proxy {
namespace {

void two_digits(char* at, unsigned value) {
  at[0] = static_cast<char>('0' + value / 10 % 10);
  at[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

std::int64_t HttpDate::system_seconds() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

std::array<char, 29> HttpDate::format(std::int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const auto of_day = static_cast<unsigned>((time - day).count());
  const int year = static_cast<int>(date.year());

  std::array<char, 29> out;
  std::string_view("Thu, 01 Jan 1970 00:00:00 GMT").copy(out.data(), out.size());
  std::string_view("SunMonTueWedThuFriSat").substr(weekday(day).c_encoding() * 3, 3).copy(&out[0], 3);
  two_digits(&out[5], static_cast<unsigned>(date.day()));
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  kMonths.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3).copy(&out[8], 3);
  two_digits(&out[12], static_cast<unsigned>(year / 100));
  two_digits(&out[14], static_cast<unsigned>(year % 100));
  two_digits(&out[17], of_day / 3600);
  two_digits(&out[20], of_day / 60 % 60);
  two_digits(&out[23], of_day % 60);
  return out;
}

std::string_view HttpDate::at(Instant now) {
  if (now >= until_) {
    text_ = format(wall_clock_());
    until_ = now + std::chrono::seconds(1);
  }
  return {text_.data(), text_.size()};
}

}  // namespace sluice::l7::proxy
