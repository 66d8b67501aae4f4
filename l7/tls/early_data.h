// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/counter.h"
#include "l7/tls/openssl_util.h"
#include "l7/tls/replay_guard.h"

/// Early data of clients (0-RTT; RFC 8446, 2.3): what comes right behind a ClientHello that resumes a session, and might be
/// sent again by anybody who saw it.
namespace sluice::l7::tls {

/// Bytes that a ticket allows, as it says; what comes beyond ends the handshake. Where early data is refused, as much is
/// passed over.
inline constexpr std::uint32_t kMaxEarlyData = 16 * 1024;

/// Whom the handshakes of one worker ask before early data is taken. Lives as long as their SSLs.
struct EarlyDataSource {
  ReplayGuard* guard = nullptr;  ///< Null: none is taken.
  Counter* replayed = nullptr;
  Counter* crowded_out = nullptr;
  Counter* too_soon = nullptr;
};

/// Tickets of this context allow early data, which use_early_data() decides about.
void offer_early_data(SSL_CTX* context);
void use_early_data(SSL* ssl, const EarlyDataSource& source);

}  // namespace sluice::l7::tls
