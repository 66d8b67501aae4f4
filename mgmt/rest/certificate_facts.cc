// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/certificate_facts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "dataplane/base/hex.h"
#include "dataplane/base/ip.h"

namespace sluice::mgmt::rest {
namespace {

template <auto F>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    F(p);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using Cert = std::unique_ptr<X509, FreeBy<X509_free>>;
using Crl = std::unique_ptr<X509_CRL, FreeBy<X509_CRL_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;
using Number = std::unique_ptr<BIGNUM, FreeBy<BN_free>>;

std::string name_text(const X509_NAME* name) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) return {};
  char* data = nullptr;
  const long n = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(n)};
}

std::int64_t unix_time(const ASN1_TIME* t) {
  std::tm parts{};
  return ASN1_TIME_to_tm(t, &parts) == 1 ? static_cast<std::int64_t>(timegm(&parts)) : 0;
}

std::string serial_text(const X509* cert) {
  const Number n(ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), nullptr));
  char* hex = n ? BN_bn2hex(n.get()) : nullptr;
  std::string out = hex != nullptr ? hex : "";
  OPENSSL_free(hex);
  return out;
}

std::vector<std::string> alternative_names(const X509* cert) {
  std::vector<std::string> out;
  const Names names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    const ASN1_STRING* text = name->type == GEN_DNS     ? name->d.dNSName
                              : name->type == GEN_IPADD ? name->d.iPAddress
                                                        : nullptr;
    if (text == nullptr) continue;
    const unsigned char* data = ASN1_STRING_get0_data(text);
    const int size = ASN1_STRING_length(text);
    if (name->type == GEN_DNS)
      out.emplace_back(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    if (name->type == GEN_IPADD && size == 4) out.push_back(IpAddr::v4_bytes(data).to_string());
    if (name->type == GEN_IPADD && size == 16) out.push_back(IpAddr::v6_bytes(data).to_string());
  }
  return out;
}

std::string fingerprint(const X509* cert) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(cert, EVP_sha256(), digest.data(), &size) != 1) return {};
  return to_hex(std::span(digest).first(size));
}

}  // namespace

std::optional<CertificateFacts> certificate_facts(const std::string& chain_pem) {
  const Bio in(BIO_new_mem_buf(chain_pem.data(), static_cast<int>(chain_pem.size())));
  const Cert cert(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!cert) return std::nullopt;
  CertificateFacts f;
  f.subject = name_text(X509_get_subject_name(cert.get()));
  f.issuer = name_text(X509_get_issuer_name(cert.get()));
  f.serial = serial_text(cert.get());
  f.fingerprint_sha256 = fingerprint(cert.get());
  f.names = alternative_names(cert.get());
  f.not_before = unix_time(X509_get0_notBefore(cert.get()));
  f.not_after = unix_time(X509_get0_notAfter(cert.get()));
  return f;
}

std::string utc_time(std::int64_t unix_seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_seconds)));
}

namespace {

nlohmann::json ocsp_json(const ocsp::CertificateOcsp& o) {
  using nlohmann::json;
  const auto time = [](std::int64_t t) { return t == 0 ? json() : json(utc_time(t)); };
  const bool stapled = o.state == ocsp::OcspState::kStapled;
  json out = {{"state", ocsp::to_string(o.state)},
              {"must_staple", o.must_staple},
              {"responder", o.responder.empty() ? json() : json(o.responder)},
              {"certificate_status", !stapled ? json() : json(o.revoked ? "revoked" : "good")},
              {"this_update", time(o.this_update)},
              {"next_update", time(o.next_update)},
              {"revoked_at", time(o.revoked_at)},
              {"next_request", time(o.next_request)},
              {"failures", o.failures},
              {"error", json()}};
  if (!o.error.empty()) out["error"] = {{"reason", o.reason}, {"message", o.error}};
  return out;
}

}  // namespace

void add_certificate_facts(nlohmann::json& shown, const Appliance& appliance) {
  const auto pem = shown.find("certificate");
  if (pem == shown.end() || !pem->is_string()) return;
  const auto f = certificate_facts(pem->get_ref<const std::string&>());
  if (!f) return;
  shown["status"] = {{"subject", f->subject},
                     {"issuer", f->issuer},
                     {"serial", f->serial},
                     {"fingerprint_sha256", f->fingerprint_sha256},
                     {"names", f->names},
                     {"not_before", utc_time(f->not_before)},
                     {"not_after", utc_time(f->not_after)}};
  if (const auto o = appliance.ocsp_status(shown.value("id", ""))) shown["status"]["ocsp"] = ocsp_json(*o);
}

void add_authority_facts(nlohmann::json& shown, const Appliance&) {
  using nlohmann::json;
  const auto open = [&shown](const char* member) {
    const auto pem = shown.find(member);
    if (pem == shown.end() || !pem->is_string()) return Bio(BIO_new(BIO_s_mem()));
    const auto& text = pem->get_ref<const std::string&>();
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  };
  json certificates = json::array(), lists = json::array();
  const Bio in = open("certificates"), crls = open("revocation_lists");
  while (const Cert x{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back({{"subject", name_text(X509_get_subject_name(x.get()))},
                            {"fingerprint_sha256", fingerprint(x.get())},
                            {"not_after", utc_time(unix_time(X509_get0_notAfter(x.get())))}});
  }
  while (const Crl x{PEM_read_bio_X509_CRL(crls.get(), nullptr, nullptr, nullptr)}) {
    const ASN1_TIME* next = X509_CRL_get0_nextUpdate(x.get());
    lists.push_back({{"issuer", name_text(X509_CRL_get_issuer(x.get()))},
                     {"revoked", std::max(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(x.get())), 0)},
                     {"next_update", next != nullptr ? json(utc_time(unix_time(next))) : json()}});
  }
  ERR_clear_error();
  shown["status"] = {{"certificates", std::move(certificates)}, {"revocation_lists", std::move(lists)}};
}

}  // namespace sluice::mgmt::rest
