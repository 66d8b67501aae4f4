// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "mgmt/ingress/model/instances.h"

namespace sluice::mgmt::ingress {

/// The certificates of an HTTPS listener: first the default one, from the earliest Ingress that names a
/// usable Secret, then the others by age; the appliance chooses among them by SNI. Empty: the appliance's own
/// "fake" one. Each is added to out.model.
std::vector<std::string> find_certificates(const Instance& instance, const Cluster& cluster,
                                           const Options& options, Translation& out, Notices& notices);

}  // namespace sluice::mgmt::ingress
