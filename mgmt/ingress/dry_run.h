// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mgmt/ingress/settings.h"

namespace sluice::mgmt::ingress {

/// Prints what appliances would hold for the objects of a folder of YAML or JSON files (a file, too), or,
/// when `folder` is empty, for those of the cluster; touches nothing. Returns the exit status: 0, or 1 when
/// it cannot be told.
int dry_run(const Settings& settings, const std::string& folder);

}  // namespace sluice::mgmt::ingress
