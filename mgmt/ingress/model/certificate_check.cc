// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/certificate_check.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <memory>

#include "dataplane/base/ascii.h"
#include "l7/tls/certificate.h"
#include "mgmt/config/bounds.h"

namespace sluice::mgmt::ingress {

CertificateFacts check_certificate(const std::string& chain_pem, const std::string& key_pem,
                                   std::int64_t now) {
  CertificateFacts out;
  if (chain_pem.size() > config::kMaxPem || key_pem.size() > config::kMaxPem) {
    out.problem = "it is larger than " + std::to_string(config::kMaxPem / 1024) + " KiB";
    return out;
  }
  const auto parsed = l7::tls::Certificate::parse(chain_pem, key_pem);
  if (!parsed) {
    out.problem = parsed.error().message;
    return out;
  }
  const l7::tls::Certificate& certificate = **parsed;
  out.expired = certificate.not_after() < now;
  out.names = certificate.names();
  return out;
}

bool has_certificate(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> found(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free);
  ERR_clear_error();
  return found != nullptr;
}

bool covers(const std::vector<std::string>& names, std::string_view host) {
  const std::string wanted = ascii_lower(std::string(host));
  const std::size_t dot = wanted.find('.');
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == wanted || (name.starts_with("*.") && dot != wanted.npos &&
                              std::string_view(name).substr(1) == wanted.substr(dot));
  });
}

}  // namespace sluice::mgmt::ingress
