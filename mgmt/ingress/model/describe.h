// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mgmt/ingress/model/translate.h"

namespace sluice::mgmt::ingress {

/// A translation for people and for tests: members that have their default, and our mark, are left out, and
/// so are private keys; a rule is a line, a certificate its length.
nlohmann::json describe(const Translation& t, const Options& options);

}  // namespace sluice::mgmt::ingress
