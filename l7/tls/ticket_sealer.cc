// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/ticket_sealer.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>

namespace sluice::l7::tls {
namespace {

// What OpenSSL takes as answers.
constexpr int kFatal = -1, kNone = 0, kFine = 1, kRenew = 2;

int source_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool start(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key.mac.data()), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv, seal) == 1 &&
         EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

void use_tickets(SSL* ssl, const TicketSource& source) {
  SSL_set_ex_data(ssl, source_index(), const_cast<TicketSource*>(&source));
  if (source.keys != nullptr && !source.keys->empty()) return;
  SSL_set_options(ssl, SSL_OP_NO_TICKET);
  SSL_set_num_tickets(ssl, 0);  // or TLS 1.3 would give some that mean sessions kept here
}

int seal_or_open_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        int seal) {
  const auto* source = static_cast<const TicketSource*>(SSL_get_ex_data(ssl, source_index()));
  if (source == nullptr || source->keys == nullptr || source->keys->empty()) return kNone;
  const TicketKeys& keys = *source->keys;
  if (seal != 0) {
    const TicketKey& key = keys.front();
    std::copy(key.name.begin(), key.name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return kFatal;
    return start(key, iv, cipher, mac, seal) ? kFine : kFatal;
  }
  const auto known = std::find_if(keys.begin(), keys.end(),
                                  [&](const TicketKey& k) { return std::equal(k.name.begin(), k.name.end(), name); });
  if (known == keys.end()) {
    if (source->unknown != nullptr) source->unknown->add();
    return kNone;
  }
  if (!start(*known, iv, cipher, mac, seal)) return kFatal;
  // RFC 8446, C.4: a client uses a ticket once, so each connection that was resumed gives it another.
  return known == keys.begin() && SSL_version(ssl) != TLS1_3_VERSION ? kFine : kRenew;
}

}  // namespace sluice::l7::tls
