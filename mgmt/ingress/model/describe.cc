// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/describe.h"

#include <nlohmann/json.hpp>

#include "mgmt/config/json.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

/// `shown` without the members that `plain` has, too.
json without_defaults(json shown, const json& plain) {
  for (const auto& [name, value] : plain.items()) {
    if (name == "id" || name == "type" || !shown.contains(name)) continue;
    if (shown[name] == value) {
      shown.erase(name);
    } else if (value.is_object() && shown[name].is_object()) {
      shown[name] = without_defaults(shown[name], value);
    }
  }
  return shown;
}

std::string describe(const config::Action& action) {
  if (const auto* forward = std::get_if<config::ForwardAction>(&action))
    return forward->server_groups[0].server_group;
  return std::to_string(std::get<config::FixedResponseAction>(action).status);
}

/// "k8s_sluice_internet_80 shop.example prefix / -> k8s_default_web_80"
json describe(const std::map<std::string, config::Rule>& rules) {
  json out = json::object();
  for (const auto& [id, r] : rules) {
    out[id] = r.listener + (r.hosts.empty() ? " *" : " " + r.hosts[0].value) + " " + r.paths[0].type + " " +
              r.paths[0].value + " -> " + describe(r.action);
  }
  return out;
}

template <class T>
json describe_kind(const std::map<std::string, T>& objects, const std::string& mark) {
  T plain;
  plain.managed_by = mark;
  const json defaults = config::to_json(plain);
  json out = json::object();
  for (const auto& [id, object] : objects) {
    json one = without_defaults(config::to_json(object), defaults);
    one.erase("id");
    if (one.contains("members")) {
      for (json& m : one["members"])
        m = m["id"].get<std::string>() + (m["drain"].get<bool>() ? " drained" : "");
    }
    if (one.contains("certificate"))
      one["certificate"] = std::to_string(one["certificate"].get<std::string>().size()) + " bytes";
    out[id] = std::move(one);
  }
  return out;
}

json describe(const Translation& t, const std::string& mark) {
  json model = json::object();
  const auto add = [&](const char* kind, json described) {
    if (!described.empty()) model[kind] = std::move(described);
  };
  add("access_control_lists", describe_kind(t.model.access_control_lists, mark));
  add("load_balancers", describe_kind(t.model.load_balancers, mark));
  add("listeners", describe_kind(t.model.listeners, mark));
  add("rules", describe(t.model.rules));
  add("server_groups", describe_kind(t.model.server_groups, mark));
  add("certificates", describe_kind(t.model.certificates, mark));
  json out = {{"model", model}};
  if (!t.taken_over.empty()) out["taken_over"] = t.taken_over;
  if (!t.released.empty()) out["released"] = t.released;
  for (const auto& [group, seconds] : t.drain_s) out["drain_s"][group] = seconds;
  return out;
}

}  // namespace

json describe(const Plan& plan, const Options& options) {
  json out = json::object();
  const std::set<std::string> common(options.appliances.begin(), options.appliances.end());
  for (const Plan::Part& part : plan.parts) {
    json one = describe(part.translation, options.mark());
    if (plan.parts.size() == 1 && part.fleet.appliances == common) {
      out = std::move(one);
    } else {
      one["appliances"] = part.fleet.appliances;
      out["fleets"].push_back(std::move(one));
    }
  }
  json ingresses = json::object();
  for (const auto& [key, outcome] : plan.ingresses)
    ingresses[key.text()] = outcome.load_balancer.empty() ? json(nullptr) : json(outcome.load_balancer);
  if (!ingresses.empty()) out["ingresses"] = ingresses;
  for (const Notice& n : plan.notices) {
    const std::string kind = n.kind == Notice::Kind::kSluiceConfig ? "SluiceConfig " : "";
    out["notices"].push_back(kind + n.object.text() + " " + n.reason + ": " + n.message);
  }
  return out;
}

}  // namespace sluice::mgmt::ingress
