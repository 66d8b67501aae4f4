// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "mgmt/config/model.h"

namespace sluice::mgmt::config {

/// Whether the whole state makes sense: values in range, addresses and names well formed, references that exist,
/// nothing claimed twice. Paths name resources by id: "/rules/shop/paths/0/value" (see errors_for_document()). At
/// most a hundred errors. What only compiling shows (expressions, certificates) is the compiler's to report.
std::vector<FieldError> validate(const Config& config);

/// Writes into `next` what it leaves open: the id of a member ("address:port").
void fill_defaults(Config& next);

/// Gives each load balancer without addresses one: that which it has in `current` when a pool of its scheme still
/// holds it and nobody else claims it, else the first free one of its scheme's pools (by pool id, then range). The
/// same input gives the same answer. `next` has passed validate().
std::vector<FieldError> assign_addresses(Config& next, const Config& current);

}  // namespace sluice::mgmt::config
