// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/counter.h"
#include "l7/tls/openssl_util.h"
#include "l7/tls/ticket_keys.h"

namespace sluice::l7::tls {

/// Where the handshakes of one worker find the ticket keys of this moment. Lives as long as their SSLs.
struct TicketSource {
  const TicketKeys* keys = nullptr;  ///< Null or empty: no tickets.
  Counter* unknown = nullptr;        ///< Tickets that no key opens.
};

/// Tickets of this handshake are sealed and opened by the keys of `source` as they are then; without any, none are
/// given. `ssl` is of a context with seal_or_open_ticket.
void use_tickets(SSL* ssl, const TicketSource& source);

/// For SSL_CTX_set_tlsext_ticket_key_evp_cb.
int seal_or_open_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        int seal);

}  // namespace sluice::l7::tls
