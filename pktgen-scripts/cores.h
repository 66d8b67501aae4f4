// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/result.h"

namespace sluice::pktgen {

/// An error when a worker of another process of ours (sluiced, another generator) is pinned to `core`: both
/// would wait for each other, and the result would be about the scheduler.
Status core_is_free(unsigned core);

}  // namespace sluice::pktgen
