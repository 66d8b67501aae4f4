// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mgmt/ingress/model/class_selection.h"
#include "mgmt/ingress/model/ingress_settings.h"

namespace sluice::mgmt::ingress {

/// Backends to server groups; one group for a port of a Service and a set of group settings.
class Backends {
 public:
  Backends(const Cluster& cluster, const Options& options, config::Config& model, Notices& notices)
      : cluster_(cluster), options_(options), model_(model), notices_(notices) {}

  /// The id of the group that answers for `backend`; makes it on first use. A Service or port that is missing
  /// gives an empty group, whose requests are answered 503, and a notice.
  std::string group_for(const Ingress& ingress, const Backend& backend, const IngressSettings& settings);

 private:
  void add_members(const Ingress& ingress, const Service& service, const Service::Port& port,
                   const std::string& family, config::ServerGroup& group);

  const Cluster& cluster_;
  const Options& options_;
  config::Config& model_;
  Notices& notices_;
};

}  // namespace sluice::mgmt::ingress
