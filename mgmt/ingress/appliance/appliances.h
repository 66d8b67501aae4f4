// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mgmt/ingress/appliance/appliance.h"
#include "mgmt/ingress/model/appliance_memory.h"
#include "mgmt/ingress/model/fleets.h"
#include "mgmt/ingress/settings.h"

namespace sluice::mgmt::ingress {

/// Every appliance that the command line or a class names, by its URL; one connection each, whoever names it. One that
/// nobody names any more is emptied before it is forgotten, as far as it answers. Nothing is put on one that a class
/// names before a controller that comes after this one would know of it.
///
///   named --no class names it--> leaving --emptied, closed, or too long away--> forgotten
///     ^-----named again-------------|  ^--recalled, and no class names it
class Appliances {
 public:
  /// `changed`: what is known of one did. `done`: only by what was wanted.
  Appliances(HttpLoop& loop, const Settings& settings, std::function<void()> changed, std::function<void()> done);

  /// Who is named now, and what opens them.
  void follow(const Assignment& assignment, const Cluster& cluster);
  /// Secrets that are to be read: of all that are named, and of those that are leaving and were never opened.
  std::set<ObjectKey> secrets() const;
  /// Those that classes named, and that are not forgotten: for recall() of the next controller.
  ApplianceMemory memory() const;
  /// That `memory` is where the next controller finds it.
  void remembered(const ApplianceMemory& memory);
  /// What the controller before this one has left, once it is known who is named now.
  void recall(const ApplianceMemory& memory);
  /// All of them as fleets, with their states. After a start, and when one is new, a fleet is pending until each of it
  /// was read or has had its time.
  std::vector<Fleet> fleets(const Assignment& assignment) const;
  void want(const std::set<std::string>& urls, const std::shared_ptr<const Wanted>& wanted);
  void want_nothing();
  void members_changed(const std::set<std::string>& urls, const std::set<std::string>& groups, std::uint64_t before);
  /// Forgets those that are leaving and hold nothing of ours any more, cannot be opened, or have had their time. Whoever
  /// holds an Appliance must not call it.
  void forget_left();

  /// Whether each of these that can be asked has what is wanted, and any can. Those that are away catch up when they
  /// are back.
  bool settled(const std::vector<std::string>& urls) const;
  bool all_settled() const;
  /// Each was read or has had its time.
  bool known() const;
  /// Addresses at which these serve this load balancer: our listeners are on it. Also of one that cannot be reached just
  /// now.
  std::vector<std::string> addresses_of(const std::string& load_balancer, const std::vector<std::string>& urls) const;
  /// For metrics and notices.
  std::vector<const Appliance*> all() const;

 private:
  struct Entry {
    Appliance appliance;
    HttpLoop::Clock::time_point since;  ///< Named, or not named any more.
    bool named = true;
    std::optional<ObjectKey> secret;  ///< What opens it; none: the command line does.
    bool unread = true;               ///< The Secret was not found, nor missed, so far.
    bool remembered = false;
    Entry(HttpLoop& loop, const std::string& name, const Appliances& owner);
  };
  Entry& entry_of(const std::string& url, const std::string& name);
  bool awaited(const Entry& entry) const;
  void open(Entry& entry, const std::string& url, const Cluster& cluster);
  void leave(Entry& entry);

  HttpLoop& loop_;
  const Settings& settings_;
  const std::function<void()> changed_, done_;
  std::map<std::string, Entry> all_;  ///< By URL.
};

}  // namespace sluice::mgmt::ingress
