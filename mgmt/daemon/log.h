// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/result.h"
#include "mgmt/daemon/bootstrap.h"

namespace sluice::mgmt::daemon {

/// Makes spdlog's default logger write as the configuration says. Call once, before other threads log.
Status start_log(const Bootstrap::Log& config);
/// After rotation (SIGHUP).
void reopen_log();

}  // namespace sluice::mgmt::daemon
