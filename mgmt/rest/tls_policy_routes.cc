// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "l7/tls/policy.h"
#include "l7/tls/policy_names.h"
#include "mgmt/config/tls_policy.h"
#include "mgmt/rest/change.h"

// The built-in TLS policies, for reading; those of the configuration are a kind of resource like others.
namespace sluice::mgmt::rest {
namespace {

using l7::tls::Policy;
using l7::tls::PolicyList;
using nlohmann::json;

/// Of "a:b:c" what this OpenSSL has.
json names_json(PolicyList list, std::string_view names) {
  json out = json::array();
  while (!names.empty()) {
    const std::string_view one = names.substr(0, names.find(':'));
    if (l7::tls::unusable(list, one).empty()) out.push_back(one);
    names.remove_prefix(std::min(names.size(), one.size() + 1));
  }
  return out;
}

json policies_json() {
  json items = json::array();
  for (const Policy& p : l7::tls::policies()) {
    items.push_back({{"id", p.name},
                     {"min_version", config::name_of(p.min_version)},
                     {"max_version", config::name_of(p.max_version)},
                     {"cipher_suites_tls12", names_json(PolicyList::kCiphers, p.ciphers)},
                     {"cipher_suites_tls13", names_json(PolicyList::kCiphersuites, p.ciphersuites)},
                     {"groups", names_json(PolicyList::kGroups, p.groups)},
                     {"signature_algorithms", names_json(PolicyList::kSignatureAlgorithms, p.signature_algorithms)}});
  }
  return {{"items", std::move(items)}};
}

}  // namespace

void add_tls_policy_routes(RouteTable& table, const Api&) {
  table.add({"GET", "/api/v1/tls/builtin-policies", Role::kViewer, [](const Call& call) {
               static const json kPolicies = policies_json();
               if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
               return json_reply(200, kPolicies);
             }});
}

}  // namespace sluice::mgmt::rest
