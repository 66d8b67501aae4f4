// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/tls_policy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "mgmt/config/checks.h"

namespace sluice::mgmt::config {
namespace {

using l7::tls::Policy;
using l7::tls::TlsVersion;

constexpr std::array<std::pair<std::string_view, TlsVersion>, 4> kVersions = {{
    {"1.0", TlsVersion::kTls10},
    {"1.1", TlsVersion::kTls11},
    {"1.2", TlsVersion::kTls12},
    {"1.3", TlsVersion::kTls13},
}};

/// The names of the versions that the policy speaks, as a list of alternatives.
std::string versions_of(const Policy& p) {
  std::vector<std::string_view> names;
  for (const auto& [name, version] : kVersions) {
    if (version >= p.min_version && version <= p.max_version) names.push_back(name);
  }
  return detail::alternatives(names);
}

std::string names_of_policies() {
  std::string out;
  for (const Policy& p : l7::tls::policies()) out += (out.empty() ? "" : ", ") + p.name;
  return out;
}

/// Built-in, or else one of the configuration's.
std::optional<Policy> find(const std::string& name, const Config& config) {
  if (const Policy* built_in = l7::tls::find_policy(name)) return *built_in;
  const auto own = config.tls_policies.find(name);
  return own == config.tls_policies.end() ? std::nullopt : std::optional(make_policy(own->second));
}

TlsVersion version_of(const std::string& text) { return text == "1.2" ? TlsVersion::kTls12 : TlsVersion::kTls13; }

/// In OpenSSL's syntax; none: as in the default policy.
std::string list_of(const std::vector<std::string>& names, const std::string& otherwise) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ":") + name;
  return out.empty() ? otherwise : out;
}

/// False: the text is no version that the policy speaks.
bool narrow(const Policy& policy, const std::string& text, TlsVersion& version) {
  if (text.empty()) return true;
  const auto* found = std::find_if(kVersions.begin(), kVersions.end(), [&](const auto& v) { return v.first == text; });
  if (found == kVersions.end() || found->second < policy.min_version || found->second > policy.max_version) return false;
  version = found->second;
  return true;
}

/// Members whose names begin with `prefix`.
ChosenPolicy policy_between(const std::string& name, const std::string& lowest, const std::string& highest,
                            const std::string& prefix, const Config& config) {
  ChosenPolicy out;
  const std::string policy = prefix + "policy", min_version = prefix + "min_version", max_version = prefix + "max_version";
  const std::optional<Policy> named = find(name, config);
  if (!named) {
    out.error = {policy, "must be one of " + names_of_policies() + ", or the id of a TLS policy"};
    return out;
  }
  out.policy = *named;
  const auto allowed = [&] { return "must be " + versions_of(*named) + " with this " + policy; };
  if (!narrow(*named, lowest, out.policy.min_version)) out.error = {min_version, allowed()};
  if (!narrow(*named, highest, out.policy.max_version)) out.error = {max_version, allowed()};
  if (out && out.policy.min_version > out.policy.max_version) {
    out.error = {max_version, "must not be below " + min_version + " (" + std::string(name_of(out.policy.min_version)) + ")"};
  }
  return out;
}

}  // namespace

std::string_view name_of(TlsVersion v) {
  return std::find_if(kVersions.begin(), kVersions.end(), [&](const auto& known) { return known.second == v; })->first;
}

l7::tls::Policy make_policy(const TlsPolicy& model) {
  Policy out = l7::tls::default_policy();  // and its security level
  out.name = model.id;
  out.min_version = version_of(model.min_version);
  out.max_version = version_of(model.max_version);
  out.ciphers = list_of(model.cipher_suites_tls12, out.ciphers);
  out.ciphersuites = list_of(model.cipher_suites_tls13, out.ciphersuites);
  out.groups = list_of(model.groups, out.groups);
  out.signature_algorithms = list_of(model.signature_algorithms, out.signature_algorithms);
  return out;
}

ChosenPolicy tls_policy_of(const Listener& listener, const Config& config) {
  return policy_between(listener.tls_policy, listener.tls_min_version, listener.tls_max_version, "tls_", config);
}

ChosenPolicy tls_policy_of(const BackendTls& tls, const Config& config) {
  return policy_between(tls.policy, tls.min_version, tls.max_version, "", config);
}

}  // namespace sluice::mgmt::config
