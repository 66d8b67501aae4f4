// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::mgmt::ingress {

struct CertificateFacts {
  std::string problem;  ///< Empty: an appliance can present it.
  bool expired = false;
  std::vector<std::string> names;  ///< dNSNames, lower case; the common name when there are none.
};

/// What an appliance would say of chain and key, by its own code: what it would refuse is named here, by its
/// Secret.
CertificateFacts check_certificate(const std::string& chain_pem, const std::string& key_pem,
                                   std::int64_t now);

/// Whether there is a certificate in `pem`, which others may be verified by.
bool has_certificate(const std::string& pem);

/// Whether one of `names` is `host` or its wildcard one label up (RFC 9525, 6.3).
bool covers(const std::vector<std::string>& names, std::string_view host);

}  // namespace sluice::mgmt::ingress
