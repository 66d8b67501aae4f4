// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/translate.h"

#include <algorithm>

#include "dataplane/base/ip.h"
#include "mgmt/config/tls_policy.h"
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
                   std::string("Settings of the ") + what + " come from the older Ingress " +
                       speaker->ingress->meta.key.text() + ".");
    }
  }
  return speaker == nullptr ? kDefault : speaker->settings.*member;
}

/// Whose an address is: load balancers of others', then of the older Ingresses.
using Claims = std::map<IpAddr, std::string>;

/// Leaves out addresses that another load balancer has. Without any it takes one from the pool.
void claim_addresses(config::LoadBalancer& lb, const Instance& instance, Claims& claims, Notices& notices) {
  std::erase_if(lb.addresses, [&](const std::string& text) {
    const auto address = IpAddr::parse(text);
    if (!address) return true;  // read_objects lets none pass
    const auto [owner, first] = claims.try_emplace(*address, instance.id);
    if (first || owner->second == instance.id) return false;
    notices.warn(instance.live.front().ingress->meta.key, "Conflict",
                 "Address " + text + " belongs to load balancer \"" + owner->second + "\"; it is left out.");
    return true;
  });
}

/// Leaves a pool out that no appliance has, or only for another scheme: any of the scheme will do.
void check_pool(config::LoadBalancer& lb, const Instance& instance,
                const std::vector<const config::Config*>& appliances, Notices& notices) {
  const auto has = [&](const config::Config* c) {
    const auto pool = c->address_pools.find(lb.address_pool);
    return pool != c->address_pools.end() && pool->second.scheme == lb.scheme;
  };
  if (lb.address_pool.empty() || appliances.empty() || std::any_of(appliances.begin(), appliances.end(), has)) return;
  notices.warn(instance.live.front().ingress->meta.key, "AddressPoolNotFound",
               "None of its appliances has an address pool \"" + lb.address_pool + "\" of scheme " + lb.scheme +
                   "; another one is taken.");
  lb.address_pool.clear();
}

void add_load_balancer(const Instance& instance, const std::vector<const config::Config*>& appliances,
                       const Options& options, Claims& claims, Translation& out, Notices& notices) {
  config::LoadBalancer lb = oldest_wins(instance, &IngressSettings::load_balancer, "load balancer", notices);
  claim_addresses(lb, instance, claims, notices);
  lb.scheme = instance.live.front().settings.load_balancer.scheme;  // The same for all: it is part of the id.
  check_pool(lb, instance, appliances, notices);
  lb.id = instance.id;
  lb.managed_by = options.mark();
  out.origins.try_emplace("load_balancers/" + lb.id, instance.live.front().ingress->meta.key);
  out.model.load_balancers[lb.id] = std::move(lb);
}

/// Leaves a TLS policy out that is neither built-in nor on all of its appliances, which would refuse the listeners with it; and
/// bounds of the version that another policy than theirs does not have.
void check_tls_policy(config::Listener& listener, const Instance& instance,
                      const std::vector<const config::Config*>& appliances, Notices& notices) {
  const auto has = [&](const config::Config* c) { return bool{config::tls_policy_of(listener, *c)}; };
  const bool built_in = l7::tls::find_policy(listener.tls_policy) != nullptr;
  if (built_in || appliances.empty() || std::all_of(appliances.begin(), appliances.end(), has)) return;
  notices.warn(instance.live.front().ingress->meta.key, "TlsPolicyNotFound",
               "Not each of its appliances has a TLS policy \"" + listener.tls_policy +
                   "\" with the versions that are asked for; the default one is taken.");
  const config::Listener plain;
  listener.tls_policy = plain.tls_policy;
  if (!config::tls_policy_of(listener, {})) listener.tls_min_version = listener.tls_max_version = "";
}

/// The list of a class, when the listeners go by it.
void add_access_lists(const Instance& instance, const config::Listener& listener, Translation& out) {
  if (!listener.access_control) return;
  for (const Candidate& c : instance.live) {
    const auto& list = c.settings.access_list;
    const auto& used = listener.access_control->access_control_lists;
    if (!list || std::find(used.begin(), used.end(), list->id) == used.end()) continue;
    out.model.access_control_lists[list->id] = *list;
    out.origins.try_emplace("access_control_lists/" + list->id, c.ingress->meta.key);
  }
}

void add_instance(const Instance& instance, const Cluster& cluster,
                  const std::vector<const config::Config*>& appliances, const Options& options,
                  Backends& backends, Claims& claims, Translation& out, Notices& notices) {
  if (instance.own) add_load_balancer(instance, appliances, options, claims, out, notices);
  // "LB" is no name of a class, whose load balancers have theirs there.
  const std::string prefix = instance.own ? instance.id : make_id({options.cluster, "LB", instance.id});
  config::Listener http = oldest_wins(instance, &IngressSettings::listener, "listeners", notices);
  check_tls_policy(http, instance, appliances, notices);
  add_access_lists(instance, http, out);
  http.load_balancer = instance.id;
  http.managed_by = options.mark();
  config::Listener https = http;
  http.id = prefix + "_80";
  https.id = prefix + "_443";
  https.port = 443;
  https.protocol = "https";
  https.certificates = find_certificates(instance, cluster, options, out, notices);

  Routes routes{{http.id, https.id}, std::nullopt};
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

/// What load balancers that stay have now.
Claims claims_that_stand(const std::vector<const config::Config*>& appliances, const Options& options,
                         const std::map<std::string, Instance>& instances) {
  Claims out;
  for (const config::Config* c : appliances) {
    for (const auto& [id, lb] : c->load_balancers) {
      const auto instance = instances.find(id);
      const bool wanted = instance != instances.end() && !instance->second.live.empty();
      if (lb.managed_by == options.mark() && !wanted) continue;
      for (const std::string& text : lb.addresses) {
        if (const auto address = IpAddr::parse(text)) out.try_emplace(*address, id);
      }
    }
  }
  return out;
}

/// By their oldest Ingress; those that go come last.
std::vector<const Instance*> oldest_first(const std::map<std::string, Instance>& instances) {
  std::vector<const Instance*> out;
  for (const auto& [id, instance] : instances) out.push_back(&instance);
  std::stable_sort(out.begin(), out.end(), [](const Instance* a, const Instance* b) {
    if (a->live.empty() || b->live.empty()) return !a->live.empty() && b->live.empty();
    return older(*a->live.front().ingress, *b->live.front().ingress);
  });
  return out;
}

}  // namespace

Translation translate(const Cluster& cluster, const Fleet& fleet, const Options& options,
                      const ResolvedNames& names) {
  Translation out;
  Notices notices;
  const auto& appliances = fleet.states;
  const auto instances = find_instances(cluster, fleet, options, out, notices);
  Backends backends(cluster, appliances, names, options, out, notices);
  Claims claims = claims_that_stand(appliances, options, instances);
  for (const Instance* instance : oldest_first(instances)) {
    if (instance->live.empty()) {
      release(*instance, out);
    } else if (claim_ports(*instance, appliances, options, out, notices)) {
      add_instance(*instance, cluster, appliances, options, backends, claims, out, notices);
    }
  }
  out.notices = notices.take();
  return out;
}

}  // namespace sluice::mgmt::ingress
