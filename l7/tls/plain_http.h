// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "dataplane/base/buf.h"

namespace sluice::l7::tls {

enum class FirstBytes {
  kTls,      ///< Or anything else that the handshake shall refuse.
  kHttp,     ///< A plain HTTP request.
  kTooFew,   ///< Could be either.
};

/// Somebody typed http:// before the address of a TLS port? Looks at the first bytes of a connection.
FirstBytes look_at_first_bytes(const BufChain& received);

/// What such a client is told, as a whole HTTP/1.1 response.
std::string_view plain_http_answer();

}  // namespace sluice::l7::tls
