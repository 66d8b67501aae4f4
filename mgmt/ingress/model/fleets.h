// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "mgmt/config/model.h"
#include "mgmt/ingress/model/class_selection.h"
#include "mgmt/ingress/model/notice.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// Which appliances, by their URLs, serve which class.
struct Assignment {
  /// Those of ours, with the appliances in the order that was given; "": of Ingresses without one.
  std::map<std::string, std::vector<std::string>> classes;
  std::map<std::string, ObjectKey> secrets;  ///< What opens the appliances that are not the command line's.
  std::vector<Notice> notices;
};

/// A class whose parameters name appliances has exactly these, any other those of the command line. Of two
/// parameters that open an appliance by different Secrets, the older ones are right.
Assignment assign_appliances(const Cluster& cluster, const Options& options);

/// Appliances that serve the same classes, and so shall hold the same.
struct Fleet {
  std::set<std::string> appliances;
  std::set<std::string> classes;  ///< None: what carries our mark there shall go.
  /// The whole state of each, as read last: for load balancers that exist and listeners of others, and for the
  /// members of names that are not known yet, which stay.
  std::vector<const config::Config*> states;
  bool pending = false;  ///< Too little is known of their states to decide anything.
};

/// All appliances that serve some class.
std::set<std::string> all_appliances(const Assignment& assignment);

/// These appliances by what they serve. Without states.
std::vector<Fleet> find_fleets(const Assignment& assignment, const std::set<std::string>& appliances);

}  // namespace sluice::mgmt::ingress
