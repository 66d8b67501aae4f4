// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "mgmt/ingress/model/instances.h"

namespace sluice::mgmt::ingress {

/// The certificates of an HTTPS listener: first the default one, from the earliest Ingress that names a
/// usable Secret, then the others by age. Each is presented to the TLS hosts of the Ingresses that name it, and
/// to no other name that it may have: a Secret of one namespace takes no host of another's. Empty: the
/// appliance's own "fake" one. Each is added to out.model.
std::vector<config::CertificateRef> find_certificates(const Instance& instance, const Cluster& cluster,
                                                      const Options& options, Translation& out,
                                                      Notices& notices);

}  // namespace sluice::mgmt::ingress
