// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/keep_keys.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <climits>
#include <memory>
#include <string>

namespace sluice::mgmt {
namespace {

struct Free {
  void operator()(BIO* b) const { BIO_free(b); }
  void operator()(X509* x) const { X509_free(x); }
};

/// The first certificate of a chain; null: there is none.
std::unique_ptr<X509, Free> leaf_of(const std::string& pem) {
  if (pem.size() > INT_MAX) return nullptr;
  const std::unique_ptr<BIO, Free> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!in) return nullptr;
  std::unique_ptr<X509, Free> leaf(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return leaf;
}

bool same_public_key(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto leaf_a = leaf_of(a), leaf_b = leaf_of(b);
  if (!leaf_a || !leaf_b) return false;
  const EVP_PKEY* key_a = X509_get0_pubkey(leaf_a.get());
  const EVP_PKEY* key_b = X509_get0_pubkey(leaf_b.get());
  const bool same = key_a != nullptr && key_b != nullptr && EVP_PKEY_eq(key_a, key_b) == 1;
  ERR_clear_error();
  return same;
}

}  // namespace

void keep_private_keys(config::Config& next, const config::Config& current) {
  for (auto& [id, certificate] : next.certificates) {
    if (!certificate.private_key.empty()) continue;
    const auto stored = current.certificates.find(id);
    if (stored == current.certificates.end()) continue;
    if (same_public_key(certificate.certificate, stored->second.certificate)) {
      certificate.private_key = stored->second.private_key;
    }
  }
}

}  // namespace sluice::mgmt
