// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/certificates.h"

#include <algorithm>

#include "mgmt/ingress/model/certificate_check.h"
#include "mgmt/ingress/model/ids.h"

namespace sluice::mgmt::ingress {
namespace {

constexpr std::size_t kMaxCertificates = 1000;  // Of one listener, in the REST API.

const Secret* usable_secret(const ObjectKey& ingress, const ObjectKey& key, const Cluster& cluster,
                            Notices& notices) {
  const auto found = cluster.secrets.find(key);
  if (found == cluster.secrets.end()) {
    notices.warn(ingress, "SecretNotFound",
                 "Secret " + key.name + " does not exist; its hosts get the default certificate.");
    return nullptr;
  }
  const Secret& secret = found->second;
  if (!secret.problem.empty()) {
    notices.warn(ingress, "InvalidSecret",
                 "Secret " + key.name + " cannot be used: " + secret.problem +
                     "; its hosts get the default certificate.");
    return nullptr;
  }
  if (secret.expired)
    notices.warn(ingress, "CertificateExpired", "The certificate of Secret " + key.name + " has expired.");
  return &secret;
}

}  // namespace

std::vector<std::string> find_certificates(const Instance& instance, const Cluster& cluster,
                                           const Options& options, Translation& out, Notices& notices) {
  std::vector<std::string> ids;
  std::set<std::string> seen;
  std::map<std::string, ObjectKey> host_owner;  // Which Secret answers for a host that an Ingress names.
  for (const Candidate& candidate : instance.live) {
    const ObjectKey& ingress = candidate.ingress->meta.key;
    for (const IngressTls& tls : candidate.ingress->tls) {
      if (tls.secret.empty()) continue;
      const ObjectKey key{ingress.ns, tls.secret};
      out.secrets.insert(key);
      const Secret* secret = usable_secret(ingress, key, cluster, notices);
      if (secret == nullptr) continue;
      for (const std::string& host : tls.hosts) {
        if (!covers(secret->names, host))
          notices.warn(ingress, "HostNotCovered",
                       "The certificate of Secret " + key.name + " is not for " + host + ".");
        const auto [owner, first] = host_owner.try_emplace(host, key);
        if (!first && owner->second != key)
          notices.warn(ingress, "Conflict",
                       "Host " + host + " has its certificate from Secret " + owner->second.text() +
                           " of an older Ingress.");
      }
      const std::string id = make_id({options.cluster, key.ns, key.name});
      if (!seen.insert(id).second) continue;
      if (ids.size() == kMaxCertificates) {
        notices.warn(ingress, "TooManyCertificates",
                     "The listener has " + std::to_string(kMaxCertificates) + " certificates; Secret " +
                         key.name + " is left out.");
        continue;
      }
      ids.push_back(id);
      out.model.certificates[id] = {id, secret->certificate, secret->private_key, options.mark()};
      out.origins.try_emplace("certificates/" + id, ingress);
    }
  }
  return ids;
}

}  // namespace sluice::mgmt::ingress
