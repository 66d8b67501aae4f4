// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "mgmt/config/model.h"
#include "mgmt/ingress/model/translate.h"

namespace sluice::mgmt::ingress {

/// What an appliance lacks, as one PATCH of its config.
struct Change {
  config::Config put;
  std::map<std::string, std::set<std::string>> remove;  ///< Member name ("rules") to ids.
  bool override_manager = false;                        ///< Takes over what carries another's mark.
  bool empty() const;
  std::size_t size() const;
  nlohmann::json to_json() const;
};

/// Remembers how long a member of a group that is no longer wanted stays: it takes no new requests from then
/// on, and goes when `linger` has passed.
class Lingering {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Lingering(Clock::duration linger) : linger_(linger) {}
  /// Whether this member is to be kept, drained, for now.
  /// `linger`: of this group, where it is another than the common one.
  bool keep(const std::string& group, const std::string& member, Clock::time_point now,
            std::optional<Clock::duration> linger = std::nullopt);
  /// Of a member that is wanted (again).
  void forget(const std::string& group, const std::string& member) { until_.erase({group, member}); }
  void forget_expired(Clock::time_point now);
  /// When the next one goes; max: none lingers.
  Clock::time_point next(Clock::time_point now) const;

 private:
  const Clock::duration linger_;
  std::map<std::pair<std::string, std::string>, Clock::time_point> until_;
};

/// What the appliance refused, by "rules/ID", and in which form: not sent again until it is another.
using Refused = std::map<std::string, std::string>;

/// From what is there to what is wanted. Only objects with our mark are changed or deleted, except for
/// listeners that are taken over; what others refer to stays. Additions, drains and removals whose time has
/// come are one transaction.
Change diff(const config::Config& there, const Translation& wanted, const std::string& mark,
            const Refused& refused, Lingering& lingering, Lingering::Clock::time_point now);

/// The same for the members of these groups alone, when all else is known to be there.
Change diff_groups(const config::Config& there, const Translation& wanted, const std::string& mark,
                   const Refused& refused, Lingering& lingering, Lingering::Clock::time_point now,
                   const std::set<std::string>& groups);

/// The change as the appliance holds it afterwards, so that it need not be read again.
void apply(const Change& change, config::Config& there);

/// Whether there is anything with our mark.
bool holds(const config::Config& there, const std::string& mark);

/// One object as text, for Refused.
template <class T>
std::string fingerprint(const T& object);

}  // namespace sluice::mgmt::ingress
