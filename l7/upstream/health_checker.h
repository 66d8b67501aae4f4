// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "l7/access_log.h"
#include "l7/runtime_tables.h"
#include "l7/snapshot.h"
#include "l7/upstream/connector.h"

namespace sluice::l7::upstream {

/// Active health checks over the data plane: a TCP connect or an HTTP/1.1 request (over TLS where the group's are) to
/// each member of the groups that ask for it, at their interval. A worker probes the slots with slot % workers == its id, so
/// that a backend is probed once, whatever the number of workers. Results go to the BackendTable, changes as
/// HealthEvents to management. A backend that was not probed yet counts as usable. Owned by its worker.
class HealthChecker {
 public:
  HealthChecker(Connector& connector, TimerWheel& timers, BufPool& buffers, BackendTable& backends,
                HealthRing& events, WorkerId worker, std::uint32_t workers, std::uint64_t seed);
  ~HealthChecker();

  /// A new snapshot: probes begin soon for new members, go on undisturbed for those that are the same, end
  /// for those that are gone (their health goes back to unknown).
  void follow(const Snapshot& snapshot, Instant now);
  /// Ends all probes (drain).
  void stop(Instant now);

  std::size_t probes() const { return probes_.size(); }

 private:
  class Probe;
  friend class Probe;

  void follow_member(const ServerGroup& group, const Member& member, Instant now);
  std::uint64_t next_random();

  Connector& connector_;
  TimerWheel& timers_;
  BufPool& buffers_;
  BackendTable& backends_;
  HealthRing& events_;
  const WorkerId worker_;
  const std::uint32_t workers_;
  std::uint64_t random_;
  std::uint64_t round_ = 0;  // Marks the probes that the snapshot being followed still names.
  std::vector<std::unique_ptr<Probe>> probes_;
  std::vector<Probe*> by_slot_;
};

}  // namespace sluice::l7::upstream
