// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/worker/runtime.h"
#include "l7/runtime_tables.h"
#include "mgmt/ocsp/status.h"

namespace sluice::mgmt::rest {

/// What REST shows of the running appliance, beside the configuration (Engine). Any thread.
class Appliance {
 public:
  virtual ~Appliance() = default;
  /// Every counter and gauge there is: /metrics and /stats are two ways to write it.
  virtual void visit(MetricSink& sink) const = 0;
  virtual std::uint32_t workers() const = 0;
  virtual std::vector<Runtime::PortStatus> ports() const = 0;
  virtual const l7::BackendTable& backends() const = 0;
  /// A stop was asked for; requests still run.
  virtual bool draining() const = 0;
  /// Unix time, seconds.
  virtual std::int64_t started() const = 0;
  /// None: nothing is known of such a certificate (yet).
  virtual std::optional<ocsp::CertificateOcsp> ocsp_status(const std::string& certificate) const = 0;
};

}  // namespace sluice::mgmt::rest
