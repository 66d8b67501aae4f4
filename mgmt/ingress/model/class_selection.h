// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgmt/ingress/model/notice.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

struct Options {
  std::string cluster =
      "k8s";  ///< Prefix of ids and part of the ownership mark: one a cluster that shares appliances.
  std::vector<std::string> controllers = {
      "sluice.dev/ingress"};   ///< spec.controller of classes that are ours.
  bool without_class = false;   ///< Take Ingresses that name no class, too.
  bool external_names = false;  ///< Follow Services of type ExternalName.
  /// URLs of the command line's appliances: they serve the classes that name none.
  std::vector<std::string> appliances;
  std::string own_namespace = "sluice-system";  ///< Of Secrets that are named without one.
  std::string mark() const { return "sluice-ingress/" + cluster; }
};

/// How an Ingress came to be ours.
struct Selected {
  std::string class_name;                ///< Empty: it names none.
  const SluiceConfig* config = nullptr;  ///< Parameters of the class, when it has some.
};

/// Whether the class is one for us to serve.
bool is_ours(const IngressClass& one, const Options& options);

/// The parameters of a class of ours; null: it has none, or they do not exist.
const SluiceConfig* parameters_of(const IngressClass& one, const Cluster& cluster);

/// Names all that is wrong with the parameters of the Ingress's class.
void warn_of_problems(const ObjectKey& ingress, const SluiceConfig& config, Notices& notices);

/// None: it is another's, and to be left alone. A class of ours whose parameters are missing counts as one
/// without.
std::optional<Selected> select(const Ingress& ingress, const Cluster& cluster, const Options& options,
                               Notices& notices);

}  // namespace sluice::mgmt::ingress
