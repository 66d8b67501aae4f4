// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mgmt_ocsp/authority.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

namespace sluice::mgmt::ocsp::test {
namespace {

using l7::tls::BioPtr;
using l7::tls::Freer;
using l7::tls::PkeyPtr;
using l7::tls::X509Ptr;

void extend(X509* x, int nid, const char* value) {
  const std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> e(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  ASSERT_EQ(X509_add_ext(x, e.get(), -1), 1) << value;
}

X509Ptr make(const std::string& name, long serial, EVP_PKEY* key, const X509* issuer) {
  X509Ptr x(X509_new());
  X509_set_version(x.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), serial);
  ASN1_TIME_set(X509_getm_notBefore(x.get()), 1'600'000'000);
  ASN1_TIME_set(X509_getm_notAfter(x.get()), 4'000'000'000);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x.get(), issuer != nullptr ? X509_get_subject_name(issuer) : X509_get_subject_name(x.get()));
  X509_set_pubkey(x.get(), key);
  return x;
}

Issued finish(X509Ptr x, PkeyPtr key, EVP_PKEY* by) {
  EXPECT_GT(X509_sign(x.get(), by, EVP_sha256()), 0);
  const BioPtr certificate(BIO_new(BIO_s_mem())), secret(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(certificate.get(), x.get());
  PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  const auto text = [](const BioPtr& bio) { return std::string(l7::tls::text_of(bio.get())); };
  return {text(certificate), text(secret), std::move(x), std::move(key)};
}

using TimePtr = std::unique_ptr<ASN1_GENERALIZEDTIME, Freer<ASN1_GENERALIZEDTIME_free>>;
TimePtr time_of(std::int64_t t) {
  return TimePtr(t == 0 ? nullptr : ASN1_GENERALIZEDTIME_set(nullptr, static_cast<std::time_t>(t)));
}

}  // namespace

Authority::Authority(const std::string& name) {
  PkeyPtr key(EVP_EC_gen("P-256"));
  X509Ptr x = make(name, 1, key.get(), nullptr);
  extend(x.get(), NID_basic_constraints, "critical,CA:TRUE");
  EVP_PKEY* by = key.get();
  self_ = finish(std::move(x), std::move(key), by);
}

Issued Authority::issue(const IssueSpec& spec) const {
  PkeyPtr key(EVP_EC_gen("P-256"));
  X509Ptr x = make(spec.name, spec.serial, key.get(), self_.x509.get());
  extend(x.get(), NID_subject_alt_name, ("DNS:" + spec.name).c_str());
  if (!spec.aia.empty()) extend(x.get(), NID_info_access, spec.aia.c_str());
  if (spec.must_staple) extend(x.get(), NID_tlsfeature, "status_request");
  if (spec.ocsp_signing) extend(x.get(), NID_ext_key_usage, "OCSPSigning");
  return finish(std::move(x), std::move(key), self_.pkey.get());
}

std::string Authority::respond(const Issued& about, const ResponseSpec& spec) const {
  const Issued& signer = spec.signer != nullptr ? *spec.signer : self_;
  const std::unique_ptr<OCSP_BASICRESP, Freer<OCSP_BASICRESP_free>> basic(OCSP_BASICRESP_new());
  const std::unique_ptr<OCSP_CERTID, Freer<OCSP_CERTID_free>> id(OCSP_cert_to_id(EVP_sha1(), about.x509.get(), self_.x509.get()));
  const TimePtr this_update = time_of(spec.this_update), next_update = time_of(spec.next_update);
  const bool revoked = spec.status == V_OCSP_CERTSTATUS_REVOKED;
  OCSP_basic_add1_status(basic.get(), id.get(), spec.status, 0, revoked ? this_update.get() : nullptr, this_update.get(),
                         next_update.get());
  EXPECT_EQ(OCSP_basic_sign(basic.get(), signer.x509.get(), signer.pkey.get(), EVP_sha256(), nullptr, 0), 1);
  const std::unique_ptr<OCSP_RESPONSE, Freer<OCSP_RESPONSE_free>> response(
      OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  unsigned char* bytes = nullptr;
  const int n = i2d_OCSP_RESPONSE(response.get(), &bytes);
  std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
  OPENSSL_free(bytes);
  return out;
}

std::shared_ptr<const l7::tls::Certificate> parsed(const Issued& leaf, const Authority* issuer) {
  auto r = l7::tls::Certificate::parse(leaf.certificate + (issuer != nullptr ? issuer->certificate() : ""), leaf.key);
  EXPECT_TRUE(r.ok()) << (r.ok() ? "" : r.error().message);
  return r.ok() ? *r : nullptr;
}

}  // namespace sluice::mgmt::ocsp::test
