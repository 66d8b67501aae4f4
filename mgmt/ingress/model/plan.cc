// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/plan.h"

#include <utility>

namespace sluice::mgmt::ingress {
namespace {

/// An Ingress whose class is on several fleets is served when one of them serves it.
void merge(std::map<ObjectKey, Outcome> from, bool pending, std::map<ObjectKey, Outcome>& into) {
  if (into.empty() && !pending) return into.swap(from);
  for (auto& [key, outcome] : from) {
    if (pending) outcome.load_balancer.clear();
    Outcome& there = into.try_emplace(key, outcome).first->second;
    if (there.load_balancer.empty()) there.load_balancer = outcome.load_balancer;
    there.pending |= pending;
  }
}

/// Ingresses of classes that no appliance serves.
void add_unserved(const Cluster& cluster, const Assignment& assignment, const Options& options, Plan& out,
                  Notices& notices) {
  std::set<std::string> unserved;
  for (const auto& [name, urls] : assignment.classes) {
    if (urls.empty()) unserved.insert(name);
  }
  if (unserved.empty()) return;
  for (const auto& [key, ingress] : cluster.ingresses) {
    const auto selected = select(ingress, cluster, options, notices);
    if (!selected || !unserved.contains(selected->class_name)) continue;
    out.ingresses[key] = {"", selected->class_name, ingress.meta.deleting, false};
    const bool named = selected->config != nullptr && selected->config->names_appliances;
    notices.warn(key, "NoAppliance",
                 named ? "SluiceConfig " + selected->config->meta.key.text() +
                             " names appliances, none of which can be used; the Ingress is not served."
                       : "The class names no appliances, nor does the command line (--appliance); the Ingress is "
                         "not served.");
    if (named) warn_of_problems(key, *selected->config, notices);
  }
}

}  // namespace

Plan make_plan(const Cluster& cluster, const Assignment& assignment, std::vector<Fleet> fleets,
               const Options& options, const ResolvedNames& names) {
  Plan out;
  Notices notices;
  notices.add(assignment.notices);
  for (Fleet& fleet : fleets) {
    Translation t = translate(cluster, fleet, options, names);
    merge(std::exchange(t.ingresses, {}), fleet.pending, out.ingresses);
    out.secrets.merge(t.secrets);
    out.names.merge(t.names);
    if (fleet.pending) {
      t = {};
    } else {
      notices.add(t.notices);
    }
    out.parts.push_back({std::move(fleet), std::move(t)});
  }
  add_unserved(cluster, assignment, options, out, notices);
  out.notices = notices.take();
  return out;
}

}  // namespace sluice::mgmt::ingress
