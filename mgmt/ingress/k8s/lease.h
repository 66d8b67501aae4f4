// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// Leader election by a Lease (coordination.k8s.io/v1): who holds it writes, all others only watch. A holder
/// is believed as long as its Lease changed within `duration` by our own clock, whatever the clocks of others
/// say.
class LeaseElection {
 public:
  struct Settings {
    std::string ns, name, identity;
    std::chrono::seconds duration{15}, renew{2}, deadline{10};
  };
  LeaseElection(HttpLoop& loop, const Server& server, Settings settings,
                std::function<void(bool leader)> changed);
  ~LeaseElection();
  LeaseElection(const LeaseElection&) = delete;
  LeaseElection& operator=(const LeaseElection&) = delete;

  void start() { read(); }
  bool leader() const { return leader_; }
  /// Gives the Lease back, so that the next one need not wait. `done` comes in any case.
  void release(std::function<void()> done);

 private:
  void read();
  void on_read(const HttpResponse& response);
  void write(const std::string& holder, bool exists, std::function<void(const HttpResponse&)> done);
  void on_written(const HttpResponse& response);
  void again() {
    pending_ = loop_.after(settings_.renew, [this] { read(); });
  }
  void set_leader(bool leader);
  void give_up_when_late();

  HttpLoop& loop_;
  const Server& server_;
  const Settings settings_;
  const std::function<void(bool)> changed_;
  HttpLoop::Id pending_ = 0;
  bool leader_ = false;
  std::string version_, holder_, acquired_;
  int transitions_ = 0;
  HttpLoop::Clock::time_point version_seen_{}, renewed_{}, asked_{};
};

}  // namespace sluice::mgmt::ingress
