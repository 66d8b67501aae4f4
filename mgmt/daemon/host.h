// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <string_view>
#include <vector>

/// What the daemon asks of the machine that it runs on.
namespace sluice::mgmt::daemon {

/// CPUs that this thread may use now.
cpu_set_t allowed_cores();
/// The CPUs of `allowed` that are no worker's, for management threads; all of them when the workers have them
/// all.
cpu_set_t management_cores(const cpu_set_t& allowed, const std::vector<unsigned>& workers);
/// For the calling thread, and those that it starts from now on.
void run_on(const cpu_set_t& cores);

/// Tells the service manager ("READY=1") when there is one (sd_notify(3): NOTIFY_SOCKET).
void notify_manager(std::string_view state);

}  // namespace sluice::mgmt::daemon
