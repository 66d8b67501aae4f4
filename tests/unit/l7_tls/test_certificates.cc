// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_tls/test_certificates.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <map>

#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls::test {
namespace {

PkeyPtr make_key(const std::string& kind) {
  if (kind.starts_with("RSA-")) return PkeyPtr(EVP_RSA_gen(static_cast<unsigned>(std::stoi(kind.substr(4)))));
  if (kind == "Ed25519") return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return PkeyPtr(EVP_EC_gen(kind.c_str()));
}

std::string text_of(BIO* bio) {
  char* at = nullptr;
  const long n = BIO_get_mem_data(bio, &at);
  return std::string(at, static_cast<std::size_t>(n));
}

void set_name(X509_NAME* name, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                             -1, 0);
}

void add_extension(X509* x, int nid, const char* value) {
  std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> e(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  X509_add_ext(x, e.get(), -1);
}

X509Ptr make_x509(const CertificateSpec& spec, EVP_PKEY* key, const std::string& issuer, EVP_PKEY* issuer_key,
                  long serial = 7, bool authority = false) {
  X509Ptr x(X509_new());
  X509_set_version(x.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), spec.not_before);
  X509_gmtime_adj(X509_getm_notAfter(x.get()), spec.not_after);
  set_name(X509_get_subject_name(x.get()), spec.common_name);
  std::unique_ptr<X509_NAME, Freer<X509_NAME_free>> by(X509_NAME_new());
  set_name(by.get(), issuer);
  X509_set_issuer_name(x.get(), by.get());
  X509_set_pubkey(x.get(), key);
  if (!spec.dns_names.empty()) {
    std::string san;
    for (const auto& n : spec.dns_names) san += (san.empty() ? "DNS:" : ",DNS:") + n;
    add_extension(x.get(), NID_subject_alt_name, san.c_str());
  }
  if (authority) add_extension(x.get(), NID_basic_constraints, "critical,CA:TRUE");
  const bool own_digest = EVP_PKEY_get_base_id(issuer_key) == EVP_PKEY_ED25519;
  EXPECT_GT(X509_sign(x.get(), issuer_key, own_digest ? nullptr : EVP_get_digestbyname(spec.digest.c_str())), 0);
  return x;
}

std::string pem_of(X509* x) {
  BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), x);
  return text_of(out.get());
}

std::string pem_of(EVP_PKEY* key, const std::string& passphrase) {
  BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), key, passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
                           reinterpret_cast<const unsigned char*>(passphrase.data()),
                           static_cast<int>(passphrase.size()), nullptr, nullptr);
  return text_of(out.get());
}

}  // namespace

PemPair make_pem(const CertificateSpec& spec) {
  const PkeyPtr key = make_key(spec.key);
  const X509Ptr x = make_x509(spec, key.get(), spec.common_name, key.get());
  return {pem_of(x.get()), pem_of(key.get(), spec.passphrase)};
}

PemPair make_pem_issued(const CertificateSpec& spec, std::string* ca_certificate) {
  const PkeyPtr ca_key = make_key("P-256");
  CertificateSpec ca;
  ca.common_name = "Test CA";
  if (ca_certificate != nullptr) *ca_certificate = pem_of(make_x509(ca, ca_key.get(), "Test CA", ca_key.get()).get());
  const PkeyPtr key = make_key(spec.key);
  const X509Ptr x = make_x509(spec, key.get(), "Test CA", ca_key.get());
  return {pem_of(x.get()), pem_of(key.get(), spec.passphrase)};
}

struct Authority::Key {
  PkeyPtr pkey;
};

Authority::Authority(const std::string& name) : name_(name), key_(new Key{make_key("P-256")}) {
  certificate_ = pem_of(make_x509({.common_name = name}, key_->pkey.get(), name, key_->pkey.get(), 1, true).get());
}

Authority::Authority(const std::string& name, const Authority& parent) : name_(name), key_(new Key{make_key("P-256")}) {
  certificate_ =
      pem_of(make_x509({.common_name = name}, key_->pkey.get(), parent.name_, parent.key_->pkey.get(), 2, true).get());
}

Authority::~Authority() = default;

PemPair Authority::issue(const CertificateSpec& spec, long serial) const {
  const PkeyPtr key = make_key(spec.key);
  const X509Ptr x = make_x509(spec, key.get(), name_, key_->pkey.get(), serial);
  return {pem_of(x.get()), pem_of(key.get(), spec.passphrase)};
}

std::string Authority::revoke(const std::vector<long>& serials, long next_update) const {
  std::unique_ptr<X509_CRL, Freer<X509_CRL_free>> crl(X509_CRL_new());
  X509_CRL_set_version(crl.get(), 1);
  std::unique_ptr<X509_NAME, Freer<X509_NAME_free>> by(X509_NAME_new());
  set_name(by.get(), name_);
  X509_CRL_set_issuer_name(crl.get(), by.get());
  using TimePtr = std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>>;
  const TimePtr last(X509_gmtime_adj(nullptr, -3600)), next(X509_gmtime_adj(nullptr, next_update));
  X509_CRL_set1_lastUpdate(crl.get(), last.get());
  X509_CRL_set1_nextUpdate(crl.get(), next.get());
  for (const long serial : serials) {
    X509_REVOKED* one = X509_REVOKED_new();
    std::unique_ptr<ASN1_INTEGER, Freer<ASN1_INTEGER_free>> number(ASN1_INTEGER_new());
    ASN1_INTEGER_set(number.get(), serial);
    X509_REVOKED_set_serialNumber(one, number.get());
    X509_REVOKED_set_revocationDate(one, last.get());
    X509_CRL_add0_revoked(crl.get(), one);
  }
  X509_CRL_sort(crl.get());
  EXPECT_GT(X509_CRL_sign(crl.get(), key_->pkey.get(), EVP_sha256()), 0);
  BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_CRL(out.get(), crl.get());
  return text_of(out.get());
}

std::shared_ptr<const Certificate> make_certificate(const CertificateSpec& spec) {
  const PemPair pem = make_pem(spec);
  auto r = Certificate::parse(pem.certificate, pem.key);
  EXPECT_TRUE(r.ok()) << (r.ok() ? "" : r.error().message);
  return r.ok() ? *r : nullptr;
}

}  // namespace sluice::l7::tls::test
