// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/clock.h"
#include "dataplane/base/ip.h"
#include "l4/stream.h"
#include "l4/tcp/stack.h"

namespace sluice::l7::upstream {

/// Opens streams to backends: the worker's TCP stack, or a fake one in tests. The outcome comes as on_open or
/// on_closed, never from inside the call.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual l4::tcp::ConnectResult connect(const Endpoint& remote, l4::StreamEvents* events, Instant now) = 0;
};

}  // namespace sluice::l7::upstream
