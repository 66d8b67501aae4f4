// SPDX-License-Identifier: Apache-2.0
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "l7/tls/certificate_handles.h"

namespace sluice::l7::tls {
namespace {

constexpr long kBackdate = 3600;               // seconds; clocks differ
constexpr long kLifetime = 10L * 365 * 86400;  // seconds

bool add_extension(X509* x, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, x, x, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> e(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return e != nullptr && X509_add_ext(x, e.get(), -1) == 1;
}

bool set_serial(X509* x) {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] &= 0x7f;  // RFC 5280, 4.1.2.2: positive
  std::unique_ptr<BIGNUM, Freer<BN_free>> number(BN_bin2bn(bytes, sizeof bytes, nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x)) != nullptr;
}

bool is_host_name(const std::string& s) {
  return !s.empty() && s.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*") ==
                           std::string::npos;
}

bool fill(X509* x, EVP_PKEY* key, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(x);
  const auto* cn = reinterpret_cast<const unsigned char*>(common_name.c_str());
  return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
         X509_gmtime_adj(X509_getm_notBefore(x), -kBackdate) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(x), kLifetime) != nullptr &&
         X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("Sluice"), -1, -1,
                                    0) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, cn, -1, -1, 0) == 1 &&
         X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
         add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(x, NID_key_usage, "critical,digitalSignature") &&
         add_extension(x, NID_ext_key_usage, "serverAuth") &&
         (!is_host_name(common_name) || add_extension(x, NID_subject_alt_name, ("DNS:" + common_name).c_str())) &&
         X509_sign(x, key, EVP_sha256()) > 0;
}

}  // namespace

Result<std::shared_ptr<const Certificate>> Certificate::generate_self_signed(const std::string& common_name) {
  ERR_clear_error();
  PkeyPtr key(EVP_EC_gen("P-256"));
  X509Ptr x(X509_new());
  if (!key || !x || !fill(x.get(), key.get(), common_name)) {
    return Error{"self-signed certificate: " + take_error_text("out of memory")};
  }
  // By way of PEM, so that there is one way in, with all its checks. A memory BIO wipes what it held.
  BioPtr chain_pem(BIO_new(BIO_s_mem())), key_pem(BIO_new(BIO_s_secmem()));
  if (!chain_pem || !key_pem || PEM_write_bio_X509(chain_pem.get(), x.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Error{"self-signed certificate: " + take_error_text("out of memory")};
  }
  return parse(text_of(chain_pem.get()), text_of(key_pem.get()));
}

const std::shared_ptr<const Certificate>& fake_certificate() {
  static const std::shared_ptr<const Certificate> made = [] {
    auto r = Certificate::generate_self_signed("Sluice Fake Certificate");
    return r ? *r : nullptr;
  }();
  return made;
}

}  // namespace sluice::l7::tls
