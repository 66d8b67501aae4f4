// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/base/clock.h"

namespace sluice::l7::proxy {

/// The text of a Date field (RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT"), made anew once a second.
/// Owned by one worker; neither allocates nor enters the kernel.
class HttpDate {
 public:
  using UnixSeconds = std::int64_t (*)();
  explicit HttpDate(UnixSeconds wall_clock = system_seconds) : wall_clock_(wall_clock) {}

  std::string_view at(Instant now);
  static std::array<char, 29> format(std::int64_t unix_seconds);
  static std::int64_t system_seconds();

 private:
  UnixSeconds wall_clock_;
  Instant until_ = Instant::min();
  std::array<char, 29> text_{};
};

}  // namespace sluice::l7::proxy
