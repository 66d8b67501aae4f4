// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/certificate_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <memory>

namespace sluice::mgmt::ingress {
namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// Never asks on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

std::string reason() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  return text == nullptr ? "" : std::string(" (") + text + ")";
}

Owned<BIO> open(const std::string& pem) {
  return Owned<BIO>(pem.size() > INT_MAX ? nullptr
                                         : BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

std::vector<std::string> names_of(X509* leaf) {
  std::vector<std::string> out;
  const Owned<GENERAL_NAMES> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(all.get(), i);
    if (one->type != GEN_DNS) continue;
    const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName));
    out.push_back(lower({data, static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName))}));
  }
  if (!out.empty()) return out;
  char name[256];
  const int n = X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, name, sizeof name);
  if (n > 0) out.push_back(lower({name, static_cast<std::size_t>(n)}));
  return out;
}

std::string problem_of(SSL_CTX* context, X509* leaf, BIO* rest, EVP_PKEY* key) {
  if (SSL_CTX_use_certificate(context, leaf) != 1) return "its certificate is refused" + reason();
  for (;;) {
    const Owned<X509> next(PEM_read_bio_X509(rest, nullptr, no_passphrase, nullptr));
    if (!next) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return "its chain is refused" + reason();
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return "tls.crt is damaged" + reason();
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1)
    return "certificate and key do not belong together" + reason();
  return {};
}

}  // namespace

CertificateFacts check_certificate(const std::string& chain_pem, const std::string& key_pem,
                                   std::int64_t now) {
  CertificateFacts out;
  ERR_clear_error();
  const auto chain = open(chain_pem), key_text = open(key_pem);
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  const Owned<X509> leaf(chain ? PEM_read_bio_X509(chain.get(), nullptr, no_passphrase, nullptr) : nullptr);
  const Owned<EVP_PKEY> key(
      key_text ? PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_passphrase, nullptr) : nullptr);
  constexpr std::size_t kMaxPem = 256 * 1024;  // What the REST API takes.
  if (chain_pem.size() > kMaxPem || key_pem.size() > kMaxPem) {
    out.problem = "it is larger than 256 KiB";
  } else if (!leaf) {
    out.problem = "tls.crt is no certificate in PEM" + reason();
  } else if (!key) {
    out.problem = "tls.key is no private key in PEM" + reason();
  } else if (context) {
    out.problem = problem_of(context.get(), leaf.get(), chain.get(), key.get());
    auto at = static_cast<time_t>(now);
    out.expired = X509_cmp_time(X509_get0_notAfter(leaf.get()), &at) < 0;
    out.names = names_of(leaf.get());
  }
  ERR_clear_error();
  return out;
}

bool covers(const std::vector<std::string>& names, std::string_view host) {
  const std::string wanted = lower(std::string(host));
  const std::size_t dot = wanted.find('.');
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == wanted || (name.starts_with("*.") && dot != wanted.npos &&
                              std::string_view(name).substr(1) == wanted.substr(dot));
  });
}

}  // namespace sluice::mgmt::ingress
