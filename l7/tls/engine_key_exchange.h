// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/result.h"

namespace sluice::l7::tls {

/// What contexts ask OpenSSL for whose key exchanges an engine may do.
inline constexpr const char* kEngineKeyExchange = "?provider=sluice";

/// Whether `engine` (an ENGINE, loaded) has X25519.
bool exchanges_keys(void* engine);

/// Makes `engine` do the X25519 of handshakes whose context asks for kEngineKeyExchange, and software what it fails. It is a
/// provider of ours, built in. OpenSSL's other way, an engine's methods for all keys of the process, does not do: with
/// these X25519MLKEM768 fails, and so do clients of TLS 1.2.
Status offer_key_exchange(void* engine);

}  // namespace sluice::l7::tls
