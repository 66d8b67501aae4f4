// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/model/class_selection.h"

namespace sluice::mgmt::ingress {

struct ApplianceSettings {
  std::string name;
  Server server;
};

/// What the command line says.
struct Settings {
  Options options;
  Server api_server;
  std::string watch_namespace;  ///< Empty: all.
  std::vector<ApplianceSettings> appliances;
  std::chrono::seconds linger{10};  ///< How long a member that is gone stays, drained.
  std::chrono::seconds dns_interval{30};  ///< Between two questions for the same ExternalName.
  bool leader_election = true;
  std::string lease_namespace = "sluice-system", lease_name = "sluice-ingress", identity;
  std::string listen = "127.0.0.1:9254";  ///< Metrics and health; empty: none.
};

}  // namespace sluice::mgmt::ingress
