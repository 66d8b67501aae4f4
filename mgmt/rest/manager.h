// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgmt/rest/call.h"
#include "mgmt/rest/resource_kind.h"

/// Ownership marks. What carries a `managed_by`, before a change or after it, is changed only by a caller
/// that names that manager in the field `Sluice-Manager`, or says `?override_manager=true`. No protection
/// against malice (any admin may claim any name), but against a person's edit that a controller would undo a
/// second later.
namespace sluice::mgmt::rest {

/// 409 that names each of `ids` which the caller does not manage; none: the change may go on.
std::optional<Reply> managed_by_another(const Call& call, const ResourceKind& kind,
                                        const config::Config& before, const config::Config& after,
                                        const std::vector<std::string>& ids);

/// The same over all kinds, for what differs between the two states.
std::optional<Reply> managed_by_another(const Call& call, const std::vector<KindDifference>& differing,
                                        const config::Config& before, const config::Config& after);

}  // namespace sluice::mgmt::rest
