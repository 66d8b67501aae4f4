// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/class_selection.h"

#include <algorithm>

namespace sluice::mgmt::ingress {

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
  const auto& ours = options.controllers;
  if (std::find(ours.begin(), ours.end(), chosen.controller) == ours.end()) return std::nullopt;

  Selected out{name, nullptr};
  if (chosen.parameters_kind.empty()) return out;
  const auto config = cluster.configs.find(chosen.parameters);
  if (chosen.parameters_kind != "sluice.dev/SluiceConfig" || config == cluster.configs.end()) {
    notices.warn(ingress.meta.key, "ParametersNotFound",
                 "Class " + name + " refers to " + chosen.parameters_kind + " " + chosen.parameters.text() +
                     ", which does not exist; defaults apply.");
    return out;
  }
  out.config = &config->second;
  return out;
}

}  // namespace sluice::mgmt::ingress
