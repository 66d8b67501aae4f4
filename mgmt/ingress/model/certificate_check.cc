// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/certificate_check.h"

#include <algorithm>
#include <cctype>

#include "l7/tls/certificate.h"

namespace sluice::mgmt::ingress {

CertificateFacts check_certificate(const std::string& chain_pem, const std::string& key_pem,
                                   std::int64_t now) {
  constexpr std::size_t kMaxPem = 256 * 1024;  // What the REST API takes.
  CertificateFacts out;
  if (chain_pem.size() > kMaxPem || key_pem.size() > kMaxPem) {
    out.problem = "it is larger than 256 KiB";
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

bool covers(const std::vector<std::string>& names, std::string_view host) {
  std::string wanted(host);
  std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::size_t dot = wanted.find('.');
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == wanted || (name.starts_with("*.") && dot != wanted.npos &&
                              std::string_view(name).substr(1) == wanted.substr(dot));
  });
}

}  // namespace sluice::mgmt::ingress
