// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mgmt/compile/program.h"
#include "mgmt/engine/engine.h"

namespace sluice::mgmt {

/// What a worker that runs `program` would do with the request, from the same routers. Any thread.
Engine::Explanation explain_request(const compile::Program& program, const Engine::ExplainRequest& request);

}  // namespace sluice::mgmt
