// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/certificate.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {

/// What keys there are; a name may have one certificate of each.
enum class KeyKind : std::uint8_t { kRsa, kEcdsa, kEd25519 };
inline constexpr std::size_t kKeyKinds = 3;

/// The reference counts in here are atomic, so that handshakes of all workers may use one Certificate. The key's
/// destructor wipes it (OpenSSL clears the numbers of a private key).
struct Certificate::Handles {
  X509Ptr leaf;
  X509StackPtr chain;  ///< Without the leaf; may be empty, never null.
  PkeyPtr key;
  KeyKind kind = KeyKind::kRsa;
};

/// The process's fake certificate, made at the first call. Null: out of memory or entropy.
const std::shared_ptr<const Certificate>& fake_certificate();

}  // namespace sluice::l7::tls
