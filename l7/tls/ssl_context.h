// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "l7/tls/openssl_util.h"
#include "l7/tls/policy.h"

namespace sluice::l7::tls {

/// An SSL_CTX with what both ends of a connection need: the policy, no renegotiation, no compression, records one by one,
/// secrets told to SecretTap. Null: `*wrong` names the member of the policy that OpenSSL refuses, and its error queue says
/// why. `properties`: which providers it prefers (property(7)); empty: none.
SslCtxPtr make_ssl_context(const SSL_METHOD* method, const Policy& policy, const std::string& properties, const char** wrong);

/// RFC 7301, 3.1: `protocols` as a list of length-prefixed names. Empty: one has no bytes, or more than 255.
std::string alpn_wire(const std::vector<std::string>& protocols);

}  // namespace sluice::l7::tls
