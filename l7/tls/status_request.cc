// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/status_request.h"

#include <openssl/crypto.h>

#include <ctime>

namespace sluice::l7::tls {
namespace {

int source_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// Hands a copy to the SSL, which frees it. False: no memory.
bool attach(SSL* ssl, const std::string& response) {
  void* copy = OPENSSL_memdup(response.data(), response.size());
  if (copy == nullptr) return false;
  if (SSL_set_tlsext_status_ocsp_resp(ssl, static_cast<unsigned char*>(copy), static_cast<long>(response.size())) == 1)
    return true;
  OPENSSL_free(copy);
  return false;
}

}  // namespace

void use_staples(SSL* ssl, const StapleSource& source) {
  SSL_set_ex_data(ssl, source_index(), const_cast<StapleSource*>(&source));
}

int answer_status_request(SSL* ssl, void*) {
  const auto* source = static_cast<const StapleSource*>(SSL_get_ex_data(ssl, source_index()));
  if (source == nullptr) return SSL_TLSEXT_ERR_NOACK;
  // The wall clock of this moment, as OpenSSL itself takes it for certificates: what has ended is withheld even when
  // management is late to take it away.
  const Staple* found =
      source->staples != nullptr ? source->staples->find(SSL_get_certificate(ssl), std::time(nullptr)) : nullptr;
  const bool sent = found != nullptr && attach(ssl, found->response);
  if (Counter* count = sent ? source->stapled : source->missing) count->add();
  return sent ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace sluice::l7::tls
