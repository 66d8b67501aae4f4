// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mgmt/config/model.h"
#include "mgmt/ingress/model/notice.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// What class parameters and annotations say about one Ingress. Where it is about a whole load balancer
/// (everything up to `listener`), the oldest Ingress that says something wins.
struct IngressSettings {
  std::string load_balancer_id;  ///< An existing one; empty: one of our own.
  config::LoadBalancer load_balancer;
  config::Listener listener;
  bool force_override = false, preserve_on_delete = false;
  config::ServerGroup server_group;
  std::string backend_family;  ///< "IPv4", "IPv6", "dual"; empty: the Service's first.
  std::optional<config::AccessControlList> access_list;  ///< Of the class; `listener` goes by it.
  std::optional<std::uint32_t> drain_s;  ///< How long a pod that is gone stays, drained; none: the controller's.
};

/// Annotation families, a file each, applied over `settings` in the order of the dialect. Unknown keys of a
/// family and wrong values are named in `notices` and change nothing. Families of ingress-nginx and ALB have
/// their place beside this one.
void apply_alibaba_annotations(const Meta& meta, IngressSettings& settings, Notices& notices);

}  // namespace sluice::mgmt::ingress
