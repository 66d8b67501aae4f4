// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/counter.h"
#include "l7/tls/openssl_util.h"
#include "l7/tls/staples.h"

namespace sluice::l7::tls {

/// Where the handshakes of one worker find the staples of this moment. Lives as long as their SSLs.
struct StapleSource {
  const Staples* staples = nullptr;  ///< Null: none.
  Counter* stapled = nullptr;        ///< Clients that asked and got one,
  Counter* missing = nullptr;        ///< and those that asked in vain.
};

/// A client of this handshake that asks for the certificate's status gets what `source` has of it then. `ssl` is of a context
/// with answer_status_request.
void use_staples(SSL* ssl, const StapleSource& source);

/// For SSL_CTX_set_tlsext_status_cb: called when the client has asked and the certificate is chosen; not in resumptions.
int answer_status_request(SSL* ssl, void*);

}  // namespace sluice::l7::tls
