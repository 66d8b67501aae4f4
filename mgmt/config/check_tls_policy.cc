// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "l7/tls/policy.h"
#include "mgmt/config/checks.h"

namespace sluice::mgmt::config::detail {
namespace {

/// Whether OpenSSL knows the names is found out by compiling.
void check_names(ErrorList& errors, const Pointer& at, const std::vector<std::string>& names) {
  check_count(errors, at, names.size(), 0, kMaxPolicyNames);
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size() && !errors.full(); ++i) {
    if (!seen.insert(names[i]).second) errors.add(at / i, "is named twice");
  }
}

}  // namespace

void check_tls_policy(ErrorList& errors, const Pointer& at, const TlsPolicy& policy) {
  if (l7::tls::find_policy(policy.id) != nullptr) errors.add(at / "id", "is the name of a built-in policy");
  // TLS 1.0 and 1.1 need SHA-1 signatures, which only the built-in policies of the cloud's names still allow.
  check_one_of(errors, at / "min_version", policy.min_version, {"1.2", "1.3"});
  check_one_of(errors, at / "max_version", policy.max_version, {"1.2", "1.3"});
  if (policy.min_version == "1.3" && policy.max_version == "1.2")
    errors.add(at / "max_version", "must not be below min_version (1.3)");
  check_names(errors, at / "cipher_suites_tls12", policy.cipher_suites_tls12);
  check_names(errors, at / "cipher_suites_tls13", policy.cipher_suites_tls13);
  check_names(errors, at / "groups", policy.groups);
  check_names(errors, at / "signature_algorithms", policy.signature_algorithms);
}

}  // namespace sluice::mgmt::config::detail
