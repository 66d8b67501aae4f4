// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/model/notice.h"

namespace sluice::mgmt::ingress {

/// Notices as Events (core/v1) on their objects, each once for as long as it holds, and never more than the
/// API server should bear: a few at a time, the queue bounded.
class EventRecorder {
 public:
  EventRecorder(HttpLoop& loop, const Server& server, std::string identity)
      : loop_(loop), server_(server), identity_(std::move(identity)) {}

  /// All that hold now; those that did not hold before are recorded. `cluster` gives the uids.
  void set(const std::vector<Notice>& notices, const Cluster& cluster);
  void forget_all() { holding_.clear(); }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Pending {
    Notice notice;
    std::string uid;
  };
  void send_next();

  HttpLoop& loop_;
  const Server& server_;
  const std::string identity_;
  std::set<Notice> holding_;
  std::deque<Pending> queue_;
  int in_flight_ = 0;
  std::uint64_t sent_ = 0, dropped_ = 0, serial_ = 0;
};

}  // namespace sluice::mgmt::ingress
