// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/addresses.h"

#include <algorithm>

namespace sluice::net {

bool VipSet::contains(const IpAddr& a) const { return std::ranges::binary_search(addresses, a); }

}  // namespace sluice::net
