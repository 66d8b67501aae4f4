// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgmt/ingress/model/fleets.h"
#include "mgmt/ingress/model/ingress_settings.h"
#include "mgmt/ingress/model/translate.h"

namespace sluice::mgmt::ingress {

/// An Ingress with what its class and annotations say.
struct Candidate {
  const Ingress* ingress = nullptr;
  IngressSettings settings;
};

/// The Ingresses of one load balancer, the oldest first.
struct Instance {
  std::string id;    ///< Of the load balancer.
  bool own = false;  ///< We make it, and delete it with its last Ingress.
  std::vector<Candidate> live, deleting;
};

/// Age decides all conflicts; names decide between equals.
bool older(const Ingress& a, const Ingress& b);

/// Sorts the Ingresses of a fleet into load balancers. Those whose load balancer does not exist are left out, with a
/// notice.
std::map<std::string, Instance> find_instances(const Cluster& cluster, const Fleet& fleet,
                                               const Options& options, Translation& out, Notices& notices);

/// Whether ports 80 and 443 are ours to use. Listeners of others are in the way, unless one of the Ingresses
/// overrides them: then they are noted in `out`.
bool claim_ports(const Instance& instance, const std::vector<const config::Config*>& appliances,
                 const Options& options, Translation& out, Notices& notices);

}  // namespace sluice::mgmt::ingress
