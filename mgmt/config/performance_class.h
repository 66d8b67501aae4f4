// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "mgmt/config/model.h"

namespace sluice::mgmt::config {

/// The limits of a load balancer under a name.
struct PerformanceClass {
  std::string_view name;
  BalancerLimits limits;
};

/// Those of the cloud's CLB, with the numbers that it publishes for them.
std::span<const PerformanceClass> performance_classes();
/// Null: there is none of that name.
const PerformanceClass* find_performance_class(std::string_view name);

/// What holds for it: its own limits, where it says nothing those of its class.
BalancerLimits limits_of(const LoadBalancer& lb);

}  // namespace sluice::mgmt::config
