// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/route/router.h"
#include "l7/route/rule.h"

namespace sluice::l7::route {

/// Whether the request meets one further condition. Values are compared whole and case-sensitively; header
/// names in any case. Query keys and values are compared decoded (%xx and '+'), the first reading that a
/// backend would make of them; of several fields, parameters or cookies of the name, any one may hold.
bool holds(const ValueCondition& condition, const RequestView& request);

/// All of the rule's.
bool conditions_hold(const Rule& rule, const RequestView& request);

}  // namespace sluice::l7::route
