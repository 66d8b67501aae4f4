// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mgmt/ingress/model/plan.h"

namespace sluice::mgmt::ingress {

/// A plan for people and for tests: members that have their default, and our mark, are left out, and so are private
/// keys; a rule is a line, a certificate its length. A fleet is named where it is not the command line's alone.
nlohmann::json describe(const Plan& plan, const Options& options);

}  // namespace sluice::mgmt::ingress
