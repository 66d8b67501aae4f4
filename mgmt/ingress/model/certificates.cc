// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/certificates.h"

#include "dataplane/base/ascii.h"
#include "mgmt/config/bounds.h"
#include "mgmt/config/names.h"
#include "mgmt/ingress/model/certificate_check.h"
#include "mgmt/ingress/model/ids.h"

namespace sluice::mgmt::ingress {
namespace {

using config::kMaxCertificates, config::kMaxServerNames;

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

/// The certificates of one listener, as its Ingresses ask for them, the oldest first.
class Presented {
 public:
  Presented(const Cluster& cluster, const Options& options, Translation& out, Notices& notices)
      : cluster_(cluster), options_(options), out_(out), notices_(notices) {}

  void add(const Ingress& ingress, const IngressTls& tls) {
    if (tls.secret.empty()) return;
    const ObjectKey key{ingress.meta.key.ns, tls.secret};
    out_.secrets.insert(key);
    const Secret* secret = usable_secret(ingress.meta.key, key, cluster_, notices_);
    if (secret == nullptr) return;
    std::vector<std::string> names;
    for (const std::string& host : hosts_of(ingress, tls, *secret)) {
      const auto [owner, first] = owners_.try_emplace(host, key);
      if (!first && owner->second != key)
        notices_.warn(ingress.meta.key, "Conflict",
                      "Host " + host + " has its certificate from Secret " + owner->second.text() +
                          " of an older Ingress.");
      if (first) names.push_back(host);
    }
    // The first one is the default, whatever its names.
    if (!refs_.empty() && names.empty()) return;
    present(ingress.meta.key, key, *secret, names);
  }

  std::vector<config::CertificateRef> take() { return std::move(refs_); }

 private:
  /// The names that the entry is for and that its certificate has. Without hosts: those of the rules.
  std::vector<std::string> hosts_of(const Ingress& ingress, const IngressTls& tls, const Secret& secret) {
    std::vector<std::string> asked = tls.hosts, out;
    if (asked.empty()) {
      for (const IngressRule& rule : ingress.rules) asked.push_back(rule.host);
    }
    for (const std::string& text : asked) {
      const std::string host = ascii_lower(text);
      if (config::is_host_pattern(host) && covers(secret.names, host)) {
        out.push_back(host);
      } else if (!tls.hosts.empty()) {
        notices_.warn(ingress.meta.key, "HostNotCovered",
                      "The certificate of Secret " + secret.meta.key.name + " is not for " +
                          host.substr(0, 253) + ", and is not presented to it.");
      }
    }
    return out;
  }

  void present(const ObjectKey& ingress, const ObjectKey& key, const Secret& secret,
               const std::vector<std::string>& names) {
    const std::string id = make_id({options_.cluster, key.ns, key.name});
    const auto [place, first] = places_.try_emplace(id, refs_.size());
    const std::string left_out = "; hosts of Secret " + key.name + " get the default certificate.";
    if (place->second == kMaxCertificates)
      return notices_.warn(ingress, "TooManyCertificates",
                           "The listener has " + std::to_string(kMaxCertificates) + " certificates" + left_out);
    if (first) {
      refs_.emplace_back(id, std::vector<std::string>{});
      out_.model.certificates[id] = {id, secret.certificate, secret.private_key, true, options_.mark()};
      out_.origins.try_emplace("certificates/" + id, ingress);
    }
    std::vector<std::string>& hosts = *refs_[place->second].hosts;
    if (hosts.size() + names.size() > kMaxServerNames)
      return notices_.warn(ingress, "TooManyCertificates",
                           "A certificate is for at most " + std::to_string(kMaxServerNames) + " hosts" + left_out);
    hosts.insert(hosts.end(), names.begin(), names.end());
  }

  const Cluster& cluster_;
  const Options& options_;
  Translation& out_;
  Notices& notices_;
  std::map<std::string, ObjectKey> owners_;  // Which Secret answers for a host.
  std::vector<config::CertificateRef> refs_;
  std::map<std::string, std::size_t> places_;  // In refs_; its bound: left out.
};

}  // namespace

std::vector<config::CertificateRef> find_certificates(const Instance& instance, const Cluster& cluster,
                                                      const Options& options, Translation& out,
                                                      Notices& notices) {
  Presented presented(cluster, options, out, notices);
  for (const Candidate& candidate : instance.live) {
    for (const IngressTls& tls : candidate.ingress->tls) presented.add(*candidate.ingress, tls);
  }
  return presented.take();
}

}  // namespace sluice::mgmt::ingress
