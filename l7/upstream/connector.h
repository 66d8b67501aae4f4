// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "dataplane/base/clock.h"
#include "dataplane/base/ip.h"
#include "l4/stream.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::upstream {

/// Null, or TLS to whom.
using Tls = std::shared_ptr<const tls::BackendTls>;

/// A stream that is being opened.
struct Connecting {
  l4::Stream* stream = nullptr;  ///< Null: `reason` says why not, and no event follows.
  tls::TlsStream* tls = nullptr; ///< The same stream, when it is TLS.
  l4::CloseReason reason = l4::CloseReason::kNormal;
};

/// Opens streams to backends: the worker's TCP stack and TLS, or a fake one in tests. The outcome comes as on_open, behind
/// the handshake of TLS, or on_closed; never from inside the call.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual Connecting connect(const Endpoint& remote, const Tls& tls, l4::StreamEvents* events, Instant now) = 0;
};

}  // namespace sluice::l7::upstream
