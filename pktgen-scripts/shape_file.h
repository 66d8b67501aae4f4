// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <libconfig.h++>
#include <string>

#include "dataplane/base/result.h"
#include "mgmt/daemon/settings.h"

namespace sluice::pktgen {

/// Reads one shape strictly, whatever its kind: `load` fills the file, `read` takes what is known in it. The
/// error has a line for each fault, as sluice.conf's have; `name` is what they call the file.
Status read_shape_file(const std::string& name, const std::function<void(libconfig::Config&)>& load,
                       const std::function<void(mgmt::daemon::SettingGroup&)>& read);

}  // namespace sluice::pktgen
