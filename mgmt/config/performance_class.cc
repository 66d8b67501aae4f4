// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/performance_class.h"

#include <algorithm>
#include <array>

namespace sluice::mgmt::config {
namespace {

/// Most connections, new ones a second, requests a second.
constexpr std::array<PerformanceClass, 8> kClasses = {{
    {"slb.s1.small", {5'000, 3'000, 1'000}},
    {"slb.s2.small", {50'000, 5'000, 5'000}},
    {"slb.s2.medium", {100'000, 10'000, 10'000}},
    {"slb.s3.small", {200'000, 20'000, 20'000}},
    {"slb.s3.medium", {500'000, 50'000, 30'000}},
    {"slb.s3.large", {1'000'000, 100'000, 50'000}},
    {"slb.s3.xlarge", {2'000'000, 200'000, 100'000}},
    {"slb.s3.xxlarge", {5'000'000, 500'000, 100'000}},
}};

}  // namespace

std::span<const PerformanceClass> performance_classes() { return kClasses; }

const PerformanceClass* find_performance_class(std::string_view name) {
  const auto* found = std::find_if(kClasses.begin(), kClasses.end(), [&](const auto& c) { return c.name == name; });
  return found == kClasses.end() ? nullptr : found;
}

BalancerLimits limits_of(const LoadBalancer& lb) {
  BalancerLimits out = lb.limits;
  const PerformanceClass* by_name = find_performance_class(lb.performance_class);
  if (by_name == nullptr) return out;
  for (const auto member : {&BalancerLimits::max_connections, &BalancerLimits::connections_per_second,
                            &BalancerLimits::requests_per_second}) {
    if (out.*member == 0) out.*member = by_name->limits.*member;
  }
  return out;
}

}  // namespace sluice::mgmt::config
