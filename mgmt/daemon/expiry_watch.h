// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mgmt/engine/engine.h"

namespace sluice::mgmt::daemon {

/// Says when a certificate comes near its end: 30, 14, 7 and 1 days before, and when it has expired, once each. One that
/// is first seen between two of these steps is told of at once, by the step that is behind it. A certificate that was
/// replaced (another end) begins anew. One thread.
class ExpiryWatch {
 public:
  struct Notice {
    std::string certificate;  ///< id
    bool expired = false;
    std::string message;  ///< "expires in 6 days, at 2026-11-29T12:00:00Z"
  };
  /// `all`: what is configured now. `now`: Unix time, seconds.
  std::vector<Notice> look(std::span<const CertificateExpiry> all, std::int64_t now);

 private:
  struct Told {
    std::int64_t not_after = 0;
    std::size_t step = 0;  ///< How many steps are behind it.
  };
  std::map<std::string, Told> told_;
};

}  // namespace sluice::mgmt::daemon
