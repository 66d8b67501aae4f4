// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mgmt/config/model.h"

namespace sluice::mgmt {

/// Private keys never leave, so what was read, edited and sent back has none. A certificate in `next` without
/// one gets that of the certificate of the same id in `current`, when it certifies the same public key: a
/// renewed certificate for the same key qualifies, another key does not.
void keep_private_keys(config::Config& next, const config::Config& current);

}  // namespace sluice::mgmt
