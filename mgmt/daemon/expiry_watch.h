// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mgmt/engine/engine.h"

namespace sluice::mgmt::daemon {

/// Says when a certificate, or a list of revoked ones, comes near its end: by steps before it, and when it has expired, once
/// each. One that is first seen between two steps is told of at once, by the step that is behind it. One that was replaced
/// (another end) begins anew, a list without a word: it may be made for less than the first step. One thread.
class ExpiryWatch {
 public:
  static constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;  ///< Seconds.
  static constexpr std::array<std::int64_t, 5> kCertificate = {30 * kDay, 14 * kDay, 7 * kDay, kDay, 0};
  /// Lists live for days, and are replaced by machines.
  static constexpr std::array<std::int64_t, 3> kRevocations = {kDay, kHour, 0};

  ExpiryWatch() : ExpiryWatch(kCertificate, false) {}
  static ExpiryWatch of_revocations() { return ExpiryWatch(kRevocations, true); }

  struct Notice {
    std::string certificate;  ///< id; of a list: the authority's
    bool expired = false;
    std::string message;  ///< "expires in 6 days, at 2026-11-29T12:00:00Z"
  };
  /// `all`: what is configured now. `now`: Unix time, seconds.
  std::vector<Notice> look(std::span<const CertificateExpiry> all, std::int64_t now);

 private:
  /// `steps`: seconds before the end, which outlive this.
  ExpiryWatch(std::span<const std::int64_t> steps, bool renewed_quietly) : steps_(steps), renewed_quietly_(renewed_quietly) {}

  struct Told {
    std::int64_t not_after = 0;
    std::size_t step = 0;  ///< How many steps are behind it.
  };
  std::size_t steps_behind(std::int64_t left) const;

  std::span<const std::int64_t> steps_;
  bool renewed_quietly_;
  std::map<std::string, Told> told_;
};

}  // namespace sluice::mgmt::daemon
