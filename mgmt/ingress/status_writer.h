// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

inline constexpr const char* kFinalizer = "sluice.dev/ingress";

/// Writes what the API server shall know of our Ingresses: their addresses, and the finalizer that keeps an
/// Ingress until no appliance serves it any more. A few requests at a time; what fails comes again with the
/// next reconcile.
class StatusWriter {
 public:
  StatusWriter(HttpLoop& loop, const Server& server) : loop_(loop), server_(server) {}

  void set_addresses(const Ingress& ingress, const std::vector<std::string>& addresses);
  void set_finalizer(const Ingress& ingress, bool present);
  void drop_queue() { queue_.clear(); }
  std::uint64_t written() const { return written_; }
  std::uint64_t failed() const { return failed_; }

 private:
  struct Patch {
    std::string key, path, body;
  };
  void add(Patch patch);
  void send_next();

  HttpLoop& loop_;
  const Server& server_;
  std::map<std::string, Patch> queue_;             ///< By key: the newest wins.
  std::map<std::string, std::string> on_its_way_;  ///< Key to body: not sent twice.
  std::uint64_t written_ = 0, failed_ = 0;
};

}  // namespace sluice::mgmt::ingress
