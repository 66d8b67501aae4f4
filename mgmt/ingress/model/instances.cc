// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/instances.h"

#include <algorithm>

#include "mgmt/config/json.h"
#include "mgmt/ingress/model/ids.h"

namespace sluice::mgmt::ingress {
namespace {

/// The list of a class, under an id of its own, and the listeners that go by it.
void use_access_list(const SluiceConfig& c, const Options& options, IngressSettings& out) {
  if (!c.access_list) return;
  out.access_list = c.access_list;
  out.access_list->id = make_id({options.cluster, "acl", c.meta.key.ns, c.meta.key.name});
  out.access_list->managed_by = options.mark();
  out.listener.access_control = config::AccessControl{c.access_type, {out.access_list->id}};
}

IngressSettings settings_of(const Ingress& ingress, const Selected& selected, const Options& options,
                            Notices& notices) {
  IngressSettings out;
  if (const SluiceConfig* c = selected.config) {
    out.load_balancer_id = c->load_balancer_id;
    out.load_balancer = c->load_balancer;
    out.listener = c->listener;
    out.server_group = c->server_group;
    // A template's id would make equal settings differ.
    out.load_balancer.id = out.listener.id = out.listener.load_balancer = out.server_group.id = "";
    out.force_override = c->force_override;
    out.preserve_on_delete = c->preserve_on_delete;
    use_access_list(*c, options, out);
    warn_of_problems(ingress.meta.key, *c, notices);
  }
  apply_alibaba_annotations(ingress.meta, out, notices);
  return out;
}

template <class T>
const T* find_on(const std::vector<const config::Config*>& appliances, const std::string& id) {
  for (const config::Config* c : appliances) {
    const auto& all = c->*config::KindOf<T>::kMap;
    if (const auto found = all.find(id); found != all.end()) return &found->second;
  }
  return nullptr;
}

/// An access control list that is named and that no appliance has; none: all are there.
std::optional<std::string> missing_access_list(const IngressSettings& s,
                                               const std::vector<const config::Config*>& appliances) {
  if (!s.listener.access_control) return std::nullopt;
  for (const std::string& id : s.listener.access_control->access_control_lists) {
    const bool own = s.access_list && s.access_list->id == id;
    if (!own && find_on<config::AccessControlList>(appliances, id) == nullptr) return id;
  }
  return std::nullopt;
}

}  // namespace

bool older(const Ingress& a, const Ingress& b) {
  return std::tie(a.meta.created, a.meta.key) < std::tie(b.meta.created, b.meta.key);
}

std::map<std::string, Instance> find_instances(const Cluster& cluster, const Fleet& fleet,
                                               const Options& options, Translation& out, Notices& notices) {
  std::map<std::string, Instance> instances;
  if (fleet.classes.empty()) return instances;
  const auto& appliances = fleet.states;
  for (const auto& [key, ingress] : cluster.ingresses) {
    const auto selected = select(ingress, cluster, options, notices);
    if (!selected || !fleet.classes.contains(selected->class_name)) continue;
    out.ingresses[key] = {"", selected->class_name, ingress.meta.deleting, false};
    Candidate candidate{&ingress, settings_of(ingress, *selected, options, notices)};
    const IngressSettings& s = candidate.settings;
    const bool chosen = !s.load_balancer_id.empty();
    const std::string id =
        chosen ? s.load_balancer_id
               : make_id({options.cluster, selected->class_name.empty() ? "default" : selected->class_name,
                          s.load_balancer.scheme});
    const auto* there = find_on<config::LoadBalancer>(appliances, id);
    if (chosen && there == nullptr) {
      notices.warn(key, "LoadBalancerNotFound",
                   "None of its appliances has a load balancer \"" + id.substr(0, 128) + "\".");
      continue;
    }
    if (const auto list = missing_access_list(s, appliances)) {
      // Without it strangers would be let in.
      notices.warn(key, "AccessListNotFound",
                   "None of its appliances has an access control list \"" + list->substr(0, 128) +
                       "\"; the Ingress is not served.");
      continue;
    }
    Instance& instance = instances[id];
    instance.id = id;
    // One that was kept when its mark went is the user's from then on.
    instance.own = there == nullptr || there->managed_by == options.mark();
    (ingress.meta.deleting ? instance.deleting : instance.live).push_back(std::move(candidate));
  }
  for (auto& [id, instance] : instances) {
    for (auto* list : {&instance.live, &instance.deleting}) {
      std::sort(list->begin(), list->end(),
                [](const Candidate& a, const Candidate& b) { return older(*a.ingress, *b.ingress); });
    }
  }
  return instances;
}

bool claim_ports(const Instance& instance, const std::vector<const config::Config*>& appliances,
                 const Options& options, Translation& out, Notices& notices) {
  std::set<std::string> in_the_way;
  std::string what;
  bool serving = false;
  for (const config::Config* c : appliances) {
    for (const auto& [id, listener] : c->listeners) {
      if (listener.load_balancer != instance.id) continue;
      if (listener.managed_by == options.mark()) {
        serving = true;
        continue;
      }
      if (listener.port != 80 && listener.port != 443) continue;
      if (in_the_way.insert(id).second)
        what += (what.empty() ? "" : ", ") + ("\"" + id + "\" has port " + std::to_string(listener.port));
    }
  }
  const bool forced = std::any_of(instance.live.begin(), instance.live.end(),
                                  [](const Candidate& c) { return c.settings.force_override; });
  if (forced) out.taken_over.merge(in_the_way);
  // One appliance of a fleet that is in another's hands must not take the Ingresses off the others: it
  // refuses by itself.
  if (in_the_way.empty() || forced || serving) return true;
  for (const Candidate& c : instance.live) {
    notices.warn(
        c.ingress->meta.key, "PortConflict",
        "Load balancer \"" + instance.id + "\" has listeners of others, nothing was changed: " + what + ".");
  }
  return false;
}

}  // namespace sluice::mgmt::ingress
