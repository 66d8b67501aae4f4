// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/openssl_util.h"
#include "l7/tls/trust_store.h"

namespace sluice::l7::tls {

/// Handshakes of `context` ask clients for certificates and verify them so. False: OpenSSL refuses.
bool ask_for_certificates(SSL_CTX* context, const ClientAuthentication& how);

/// Of a complete handshake, resumed or not. Null: there was none, or there is no memory.
std::unique_ptr<ClientCertificate> client_certificate(const SSL* ssl, bool keep);

/// Whether the peer was asked, and the handshake failed for what it showed or did not show.
bool peer_was_refused(const SSL* ssl);

}  // namespace sluice::l7::tls
