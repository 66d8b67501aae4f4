// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/expiry_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mgmt/rest/certificate_facts.h"

namespace sluice::mgmt::daemon {
namespace {

std::string span_text(std::int64_t seconds) {
  const auto counted = [](std::int64_t n, const char* unit) { return fmt::format("{} {}{}", n, unit, n == 1 ? "" : "s"); };
  if (seconds >= 2 * ExpiryWatch::kDay) return counted(seconds / ExpiryWatch::kDay, "day");
  if (seconds >= ExpiryWatch::kHour) return counted(seconds / ExpiryWatch::kHour, "hour");
  return counted(seconds / 60, "minute");
}

}  // namespace

/// How many steps lie behind one with that many seconds left.
std::size_t ExpiryWatch::steps_behind(std::int64_t left) const {
  return static_cast<std::size_t>(std::ranges::count_if(steps_, [=](std::int64_t s) { return left <= s; }));
}

std::vector<ExpiryWatch::Notice> ExpiryWatch::look(std::span<const CertificateExpiry> all, std::int64_t now) {
  std::vector<Notice> out;
  std::map<std::string, Told> seen;
  for (const CertificateExpiry& c : all) {
    const std::int64_t left = c.not_after - now;
    Told state{c.not_after, steps_behind(left)};
    const auto before = told_.find(c.id);
    const bool same = before != told_.end() && before->second.not_after == c.not_after;
    if (same) state.step = std::max(state.step, before->second.step);  // a clock that was set back tells nothing twice
    const bool quiet = renewed_quietly_ && before != told_.end() && !same && left > 0;
    if (!quiet && state.step > (same ? before->second.step : 0)) {
      const std::string when = rest::utc_time(c.not_after);
      const bool expired = left <= 0;
      out.push_back({c.id, expired, expired ? fmt::format("expired at {}", when)
                                            : fmt::format("expires in {}, at {}", span_text(left), when)});
    }
    seen.emplace(c.id, state);
  }
  told_ = std::move(seen);
  return out;
}

}  // namespace sluice::mgmt::daemon
