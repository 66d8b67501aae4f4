// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/result.h"

namespace sluice::mgmt::ingress {

/// /metrics, /healthz and /readyz over plain HTTP, on threads of its own; they see only what was given to
/// them last.
class MetricsServer {
 public:
  /// `listen`: "127.0.0.1:9254".
  static Result<std::unique_ptr<MetricsServer>> open(const std::string& listen);
  virtual ~MetricsServer() = default;
  /// From the controller's thread, again and again: without it for a minute, /healthz fails.
  virtual void update(std::string metrics, bool ready) = 0;
};

}  // namespace sluice::mgmt::ingress
