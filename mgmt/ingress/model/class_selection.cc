// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/class_selection.h"

#include <algorithm>

namespace sluice::mgmt::ingress {

bool is_ours(const IngressClass& one, const Options& options) {
  return std::find(options.controllers.begin(), options.controllers.end(), one.controller) !=
         options.controllers.end();
}

const SluiceConfig* parameters_of(const IngressClass& one, const Cluster& cluster) {
  const auto config = cluster.configs.find(one.parameters);
  return one.parameters_kind == "sluice.dev/SluiceConfig" && config != cluster.configs.end() ? &config->second
                                                                                             : nullptr;
}

void warn_of_problems(const ObjectKey& ingress, const SluiceConfig& config, Notices& notices) {
  for (const std::string& p : config.problems)
    notices.warn(ingress, "InvalidParameters", "SluiceConfig " + config.meta.key.text() + ": " + p);
}

std::optional<Selected> select(const Ingress& ingress, const Cluster& cluster, const Options& options,
                               Notices& notices) {
  std::string name;
  if (ingress.class_name) {
    name = *ingress.class_name;
  } else if (const auto old = ingress.meta.annotations.find("kubernetes.io/ingress.class");
             old != ingress.meta.annotations.end()) {
    name = old->second;
  }
  if (name.empty()) {
    // The API server writes a default class into an Ingress when it is created; later nobody does.
    return options.without_class ? std::optional(Selected{}) : std::nullopt;
  }
  const auto found = cluster.classes.find({"", name});
  if (found == cluster.classes.end()) return std::nullopt;
  const IngressClass& chosen = found->second;
  if (!is_ours(chosen, options)) return std::nullopt;
  const Selected out{name, parameters_of(chosen, cluster)};
  if (out.config == nullptr && !chosen.parameters_kind.empty())
    notices.warn(ingress.meta.key, "ParametersNotFound",
                 "Class " + name + " refers to " + chosen.parameters_kind + " " + chosen.parameters.text() +
                     ", which does not exist; defaults apply.");
  return out;
}

}  // namespace sluice::mgmt::ingress
