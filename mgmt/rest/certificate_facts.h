// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/rest/appliance.h"

namespace sluice::mgmt::rest {

/// What is written on the leaf of a PEM chain.
struct CertificateFacts {
  std::string subject, issuer, serial, fingerprint_sha256;
  std::vector<std::string> names;              ///< DNS names and addresses.
  std::int64_t not_before = 0, not_after = 0;  ///< Unix time, seconds.
};
std::optional<CertificateFacts> certificate_facts(const std::string& chain_pem);

/// Adds "status": {"subject", "issuer", "names", "not_before", "not_after", ...} to a certificate's JSON, with "ocsp" when the
/// appliance has something to say of it.
void add_certificate_facts(nlohmann::json& shown, const Appliance& appliance);

/// Adds "status": {"certificates": [{"subject", ...}], "revocation_lists": [{"issuer", "next_update", ...}]} to an authority's.
void add_authority_facts(nlohmann::json& shown, const Appliance& appliance);

/// "2026-11-23T01:00:00Z"
std::string utc_time(std::int64_t unix_seconds);

}  // namespace sluice::mgmt::rest
