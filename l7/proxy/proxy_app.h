// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "dataplane/base/rcu.h"
#include "dataplane/worker/app.h"
#include "l4/tcp/stack.h"
#include "l7/access_log.h"
#include "l7/limits/meter_table.h"
#include "l7/runtime_tables.h"
#include "l7/snapshot.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::proxy {

/// Counters of one worker's HTTP.
struct Stats {
  Counter connections;            ///< Accepted.
  Counter connections_active;     ///< Gauge.
  Counter requests;
  Counter requests_active;        ///< Gauge.
  std::array<Counter, 6> responses;  ///< By class: [1] 1xx ... [5] 5xx; [0] client left first.
  Counter bad_requests;           ///< Refused by the parser.
  Counter early_requests;         ///< In TLS early data, and served as such.
  Counter upstream_connects, upstream_connect_failures, upstream_reused, upstream_retries;
  Counter upstream_timeouts, upstream_bad_responses;
  Counter no_route, no_backend;
  Counter passthrough, passthrough_refused;  ///< TLS connections to be passed on; of them, not passed on.
  Counter access_log_dropped;
  Counter bytes_in, bytes_out;    ///< Client side, plaintext.
  void visit(MetricSink& sink, std::string_view labels) const;
};

/// What all workers and management share; outlives the workers.
struct Shared {
  RcuPtr<Snapshot> snapshot;
  BackendTable backends;
  limits::MeterTable meters;
  tls::ReplayGuard replays;
  std::vector<std::unique_ptr<AccessRing>> access_logs;   ///< One a worker.
  std::vector<std::unique_ptr<HealthRing>> health_events; ///< One a worker.
  std::uint64_t process_seed[2] = {0, 0};                 ///< Random; hashes, request ids, ISNs.
  const tls::CryptoEngine* tls_engine = nullptr;          ///< Null: software. Set before the workers start.

  Shared(std::uint32_t workers, std::size_t access_ring_capacity);
};

/// One worker's reverse proxy, and what management may read of it (counters only, any thread).
class ProxyApp : public App {
 public:
  virtual const Stats& stats() const = 0;
  virtual const l4::tcp::Stats& tcp_stats() const = 0;
  virtual const tls::Stats& tls_stats() const = 0;
  virtual const tls::BackendStats& backend_tls_stats() const = 0;
};

class ProxyFactory : public AppFactory {
 public:
  ProxyFactory(Shared& shared, const l4::tcp::Config& tcp) : shared_(shared), tcp_(tcp) {}
  std::unique_ptr<App> create(const WorkerServices& services) override;

 private:
  Shared& shared_;
  l4::tcp::Config tcp_;
};

}  // namespace sluice::l7::proxy
