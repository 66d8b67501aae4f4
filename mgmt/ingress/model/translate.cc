// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/translate.h"

#include "mgmt/ingress/model/certificates.h"
#include "mgmt/ingress/model/ids.h"
#include "mgmt/ingress/model/routes.h"

namespace sluice::mgmt::ingress {
namespace {

/// The first Ingress that says something else than the default speaks for all; others that differ are told.
template <class T>
T oldest_wins(const Instance& instance, T IngressSettings::*member, const char* what, Notices& notices) {
  static const T kDefault;
  const Candidate* speaker = nullptr;
  for (const Candidate& c : instance.live) {
    const T& said = c.settings.*member;
    if (said == kDefault) continue;
    if (speaker == nullptr) {
      speaker = &c;
    } else if (said != speaker->settings.*member) {
      notices.warn(c.ingress->meta.key, "Conflict",
                   std::string("IngressSettings of the ") + what + " come from the older Ingress " +
                       speaker->ingress->meta.key.text() + ".");
    }
  }
  return speaker == nullptr ? kDefault : speaker->settings.*member;
}

void add_load_balancer(const Instance& instance, const Options& options, Translation& out, Notices& notices) {
  config::LoadBalancer lb = oldest_wins(instance, &IngressSettings::load_balancer, "load balancer", notices);
  lb.scheme = instance.live.front().settings.load_balancer.scheme;  // The same for all: it is part of the id.
  lb.id = instance.id;
  lb.managed_by = options.mark();
  out.origins.try_emplace("load_balancers/" + lb.id, instance.live.front().ingress->meta.key);
  out.model.load_balancers[lb.id] = std::move(lb);
}

void add_instance(const Instance& instance, const Cluster& cluster, const Options& options, Translation& out,
                  Notices& notices) {
  if (instance.own) add_load_balancer(instance, options, out, notices);
  const std::string prefix = instance.own ? instance.id : make_id({options.cluster, "lb", instance.id});
  config::Listener http = oldest_wins(instance, &IngressSettings::listener, "listeners", notices);
  http.load_balancer = instance.id;
  http.managed_by = options.mark();
  config::Listener https = http;
  http.id = prefix + "_80";
  https.id = prefix + "_443";
  https.port = 443;
  https.protocol = "https";
  https.certificates = find_certificates(instance, cluster, options, out, notices);

  Routes routes{{http.id, https.id}, std::nullopt};
  Backends backends(cluster, options, out, notices);
  add_routes(instance, options, backends, routes, out, notices);
  http.default_action = https.default_action = routes.default_action;
  for (config::Listener* l : {&http, &https}) {
    out.origins.try_emplace("listeners/" + l->id, instance.live.front().ingress->meta.key);
    out.model.listeners[l->id] = std::move(*l);
  }
  for (const Candidate& c : instance.live) out.ingresses[c.ingress->meta.key].load_balancer = instance.id;
}

/// With the last Ingress goes what we made, unless one of the last says otherwise.
void release(const Instance& instance, Translation& out) {
  for (const Candidate& c : instance.deleting) {
    if (instance.own && c.settings.preserve_on_delete) out.released.insert(instance.id);
  }
}

}  // namespace

Translation translate(const Cluster& cluster, const std::vector<const config::Config*>& appliances,
                      const Options& options) {
  Translation out;
  Notices notices;
  for (const auto& [id, instance] : find_instances(cluster, appliances, options, out, notices)) {
    if (instance.live.empty()) {
      release(instance, out);
    } else if (claim_ports(instance, appliances, options, out, notices)) {
      add_instance(instance, cluster, options, out, notices);
    }
  }
  out.notices = notices.take();
  return out;
}

}  // namespace sluice::mgmt::ingress
