// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <memory>
#include <string>

#include "l7/proxy/proxy_app.h"
#include "mgmt/daemon/bootstrap.h"
#include "mgmt/daemon/housekeeper.h"
#include "mgmt/daemon/live_appliance.h"
#include "mgmt/daemon/record_writer.h"
#include "mgmt/engine/engine.h"
#include "mgmt/ocsp/fetcher.h"
#include "mgmt/ocsp/keeper.h"
#include "mgmt/rest/server.h"

namespace sluice::mgmt::daemon {

/// The parts of a running appliance, in the order in which they are made; they end in the opposite order.
/// Owned by the main thread.
class Daemon {
 public:
  /// Everything up to serving. Errors are one sentence for the person who starts it.
  static Result<std::unique_ptr<Daemon>> start(const Bootstrap& config);
  ~Daemon();

  /// Refuses new connections and waits for the running ones, at most as long as configured. True: none was
  /// cut off.
  bool drain();
  /// SIGHUP: log files anew, tokens anew.
  void reload();
  /// The last records reach the access log; for an end without destructors.
  void flush_records() { records_->stop(); }

 private:
  explicit Daemon(const Bootstrap& config);
  Status load_tls_engine();
  Status open_store();
  Status open_server();
  Status load_tokens();
  Status start_data_plane();
  Status start_management();
  void tell(const ocsp::Notice& notice);

  const Bootstrap config_;
  const cpu_set_t allowed_;
  l7::proxy::Shared shared_;
  rest::EventLog events_;
  rest::Tokens tokens_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ocsp::HttpFetcher> fetcher_;
  std::unique_ptr<ocsp::Keeper> keeper_;
  std::unique_ptr<RecordWriter> records_;
  std::unique_ptr<LiveAppliance> appliance_;
  std::unique_ptr<l7::proxy::ProxyFactory> factory_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<rest::Server> server_;
  std::unique_ptr<Housekeeper> housekeeper_;
};

}  // namespace sluice::mgmt::daemon
