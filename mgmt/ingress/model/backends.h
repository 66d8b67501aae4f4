// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/ingress/model/class_selection.h"
#include "mgmt/ingress/model/ingress_settings.h"
#include "mgmt/ingress/model/translate.h"

namespace sluice::mgmt::ingress {

/// Backends to server groups; one group for a port of a Service and a set of group settings.
class Backends {
 public:
  Backends(const Cluster& cluster, const std::vector<const config::Config*>& appliances,
           const ResolvedNames& names, const Options& options, Translation& out, Notices& notices)
      : cluster_(cluster),
        appliances_(appliances),
        names_(names),
        options_(options),
        out_(out),
        notices_(notices) {}

  /// The id of the group that answers for `backend`; makes it on first use. A Service or port that is missing
  /// gives an empty group, whose requests are answered 503, and a notice.
  std::string group_for(const Ingress& ingress, const Backend& backend, const IngressSettings& settings);

  /// The groups of a Service whose slices have changed since `before`, and nothing else, with the members
  /// that they have now. None: something is or was wrong with them, which only a whole translation can say.
  static std::optional<std::map<std::string, std::vector<config::Member>>> members_now(
      const Cluster& cluster, const ObjectKey& service, const Translation& before);

 private:
  static void add_members(const Cluster& cluster, const ObjectKey& ingress, const Service& service,
                          const Service::Port& port, const std::string& family, config::ServerGroup& group,
                          Notices& notices);

  /// Of an ExternalName: the addresses of its name at the port, as far as they may be reached that way.
  void follow_name(const Ingress& ingress, const Service& service, const Backend& backend,
                   config::ServerGroup& group);
  void keep_members(config::ServerGroup& group) const;

  const Cluster& cluster_;
  const std::vector<const config::Config*>& appliances_;
  const ResolvedNames& names_;
  const Options& options_;
  Translation& out_;
  Notices& notices_;
};

}  // namespace sluice::mgmt::ingress
