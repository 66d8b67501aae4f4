// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "dataplane/base/ip.h"

namespace sluice::net {

/// The virtual addresses that a snapshot serves, beside the interfaces' own addresses of the bootstrap file. Sorted,
/// unique. We answer ARP, ND and echo for them and announce those that are new.
struct VipSet {
  std::vector<IpAddr> addresses;
  bool contains(const IpAddr& a) const;
};

}  // namespace sluice::net
