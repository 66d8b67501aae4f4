// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "mgmt/ingress/model/fleets.h"
#include "mgmt/ingress/model/translate.h"

namespace sluice::mgmt::ingress {

/// The whole of what the cluster asks for: what each fleet shall hold, and what becomes of each Ingress.
struct Plan {
  struct Part {
    Fleet fleet;
    Translation translation;  ///< Of a pending fleet: nothing to go by.
  };
  std::vector<Part> parts;
  std::map<ObjectKey, Outcome> ingresses;  ///< Those that are ours.
  std::set<ObjectKey> secrets;             ///< To be read.
  std::set<std::string> names;             ///< To be resolved.
  std::vector<Notice> notices;
};

/// Pure, as translate() is, which it calls for each of the fleets.
Plan make_plan(const Cluster& cluster, const Assignment& assignment, std::vector<Fleet> fleets,
               const Options& options, const ResolvedNames& names = {});

}  // namespace sluice::mgmt::ingress
