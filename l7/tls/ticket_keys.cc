// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include <algorithm>

#include "dataplane/base/hex.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {
namespace {

using KdfPtr = std::unique_ptr<EVP_KDF, Freer<EVP_KDF_free>>;
using KdfContextPtr = std::unique_ptr<EVP_KDF_CTX, Freer<EVP_KDF_CTX_free>>;

/// HKDF-SHA-256 of the secret, into all of `out`.
bool expand(std::span<const std::uint8_t> secret, std::span<std::uint8_t> out) {
  const KdfPtr kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContextPtr context(EVP_KDF_CTX_new(kdf.get()));
  char digest[] = "SHA256", label[] = "sluice session tickets 1";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::uint8_t*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, label, sizeof label - 1), OSSL_PARAM_construct_end()};
  return context != nullptr && EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) == 1;
}

}  // namespace

TicketKey::~TicketKey() {
  OPENSSL_cleanse(mac.data(), mac.size());
  OPENSSL_cleanse(cipher.data(), cipher.size());
}

Result<TicketKey> TicketKey::derive(std::span<const std::uint8_t> secret) {
  if (secret.size() < kMinSecret || secret.size() > kMaxSecret) {
    return Error{"must be " + std::to_string(kMinSecret) + " to " + std::to_string(kMaxSecret) + " bytes long"};
  }
  ERR_clear_error();
  TicketKey out;
  std::array<std::uint8_t, 80> block;
  if (!expand(secret, block)) return Error{"ticket key: " + take_error_text("out of memory")};
  auto at = block.begin();
  for (const std::span<std::uint8_t> part : std::initializer_list<std::span<std::uint8_t>>{out.name, out.mac, out.cipher}) {
    std::copy_n(at, part.size(), part.begin());
    at += static_cast<std::ptrdiff_t>(part.size());
  }
  OPENSSL_cleanse(block.data(), block.size());
  return out;
}

Result<TicketKey> TicketKey::generate() {
  std::array<std::uint8_t, kMinSecret> secret;
  if (RAND_priv_bytes(secret.data(), secret.size()) != 1) return Error{"ticket key: " + take_error_text("no entropy")};
  auto out = derive(secret);
  OPENSSL_cleanse(secret.data(), secret.size());
  return out;
}

std::string TicketKey::name_text() const { return to_hex(name); }

}  // namespace sluice::l7::tls
