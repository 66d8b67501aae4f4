// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "mgmt/config/model.h"
#include "mgmt/ingress/model/class_selection.h"
#include "mgmt/ingress/model/fleets.h"
#include "mgmt/ingress/model/notice.h"
#include "mgmt/ingress/model/objects.h"

/// The one pure step: what the cluster says, to what appliances shall hold. No clock, no network, no state.
namespace sluice::mgmt::ingress {

/// Addresses of names in the DNS. One that is not there is not known yet; one without addresses does not exist.
using ResolvedNames = std::map<std::string, std::vector<std::string>>;

/// What becomes of an Ingress that is ours.
struct Outcome {
  std::string load_balancer;  ///< Where it is served; empty: nowhere, a notice says why.
  std::string class_name;
  bool deleting = false;
  bool pending = false;  ///< Not decided yet, on some of its class's appliances.
};

/// What a fleet shall hold.
struct Translation {
  /// Everything that shall carry our mark, and nothing else; load balancers that the user made are referred
  /// to only. A load balancer without addresses takes one from the appliance's pool.
  config::Config model;
  /// Listeners of others that go, with their rules, because an Ingress overrides them.
  std::set<std::string> taken_over;
  /// Load balancers that stay when our mark goes.
  std::set<std::string> released;
  /// Groups whose members that are gone stay drained for so many seconds, instead of for the controller's own.
  std::map<std::string, std::uint32_t> drain_s;

  std::map<ObjectKey, Outcome> ingresses;  ///< Those of its classes.
  std::map<std::string, ObjectKey>
      origins;                  ///< "rules/ID" and the like: whose fault it is when it is refused.
  std::set<ObjectKey> secrets;  ///< To be read.
  std::set<std::string> names;  ///< To be resolved.
  /// Where the members of a group come from, so that they can be found again without all the rest.
  struct MemberSource {
    ObjectKey ingress;
    Backend backend;
    std::string family;
  };
  std::map<ObjectKey, std::map<std::string, MemberSource>> member_sources;  ///< By Service, then by group.
  std::vector<Notice> notices;
};

Translation translate(const Cluster& cluster, const Fleet& fleet, const Options& options,
                      const ResolvedNames& names = {});

}  // namespace sluice::mgmt::ingress
