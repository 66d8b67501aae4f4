// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "l7/proxy/proxy_app.h"
#include "mgmt/daemon/engine_watch.h"
#include "mgmt/daemon/record_writer.h"
#include "mgmt/engine/engine.h"
#include "mgmt/ocsp/keeper.h"
#include "mgmt/rest/appliance.h"

namespace sluice::mgmt::daemon {

/// The running process, as REST sees it. Any thread, once run() was called.
class LiveAppliance final : public rest::Appliance {
 public:
  LiveAppliance(l7::proxy::Shared& shared, const Engine& engine, const RecordWriter& records, const ocsp::Keeper& keeper);

  /// The data plane is up; it outlives the server that asks this object.
  void set_runtime(const Runtime* runtime) { runtime_.store(runtime, std::memory_order_release); }
  void set_draining() { draining_.store(true, std::memory_order_relaxed); }

  void visit(MetricSink& sink) const override;
  std::uint32_t workers() const override;
  std::vector<Runtime::PortStatus> ports() const override;
  const l7::BackendTable& backends() const override { return shared_.backends; }
  bool draining() const override { return draining_.load(std::memory_order_relaxed); }
  std::int64_t started() const override { return started_; }
  std::optional<ocsp::CertificateOcsp> ocsp_status(const std::string& certificate) const override {
    return ocsp_.status(certificate);
  }
  /// By the workers' counters.
  TlsEngineState tls_engine() const;

 private:
  void visit_workers(MetricSink& sink) const;
  void visit_backends(MetricSink& sink) const;
  void visit_meters(MetricSink& sink) const;
  void visit_management(MetricSink& sink) const;
  void visit_ocsp(MetricSink& sink, std::int64_t now) const;

  l7::proxy::Shared& shared_;
  const Engine& engine_;
  const RecordWriter& records_;
  const ocsp::Keeper& ocsp_;
  const std::int64_t started_;
  std::atomic<const Runtime*> runtime_{nullptr};
  std::atomic<bool> draining_{false};
};

/// Memory, files and threads of this process, from /proc/self.
void visit_process(MetricSink& sink, std::int64_t started);

}  // namespace sluice::mgmt::daemon
