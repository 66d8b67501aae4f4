// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// Leader election by a Lease (coordination.k8s.io/v1): who holds it writes, all others only watch. A holder
/// is believed as long as its Lease changed within `duration` by our own clock, whatever the clocks of others
/// say. A note of the holder is in an annotation of the Lease, and outlives it.
class LeaseElection {
 public:
  struct Settings {
    std::string ns, name, identity;
    std::chrono::seconds duration{15}, renew{2}, deadline{10};
  };
  /// `noted`: what keep() was given last is in the Lease now.
  LeaseElection(HttpLoop& loop, const Server& server, Settings settings, std::function<void(bool leader)> changed,
                std::function<void()> noted);
  ~LeaseElection();
  LeaseElection(const LeaseElection&) = delete;
  LeaseElection& operator=(const LeaseElection&) = delete;

  void start() { read(); }
  bool leader() const { return leader_; }
  /// That of the holders before, until a leader keeps another; 200 KiB at most, as the API server has limits.
  const std::string& note() const { return note_; }
  /// By a leader: the Lease is written with it at once. True: it is there already.
  bool keep(std::string note);
  /// Gives the Lease back, so that the next one need not wait. `done` comes in any case.
  void release(std::function<void()> done);

 private:
  void read();
  void on_read(const HttpResponse& response);
  /// With the note that was sent.
  using Written = std::function<void(const HttpResponse&, const std::string& note)>;
  void write(const std::string& holder, bool exists, Written done);
  void on_written(const HttpResponse& response, const std::string& note);
  void again();
  void set_leader(bool leader);
  void give_up_when_late();

  HttpLoop& loop_;
  const Server& server_;
  const Settings settings_;
  const std::function<void(bool)> changed_;
  const std::function<void()> noted_;
  HttpLoop::Id pending_ = 0;
  bool leader_ = false;
  bool resting_ = false;       ///< pending_ is the wait for the next renewal.
  std::string note_;           ///< As it shall be in the Lease.
  std::optional<std::string> written_;  ///< As it is there; none: another is on its way.
  std::string version_, holder_, acquired_;
  int transitions_ = 0;
  HttpLoop::Clock::time_point version_seen_{}, renewed_{}, asked_{};
};

}  // namespace sluice::mgmt::ingress
