// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "mgmt/ingress/backoff.h"
#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

inline constexpr const char* kFinalizer = "sluice.dev/ingress";

/// Writes what the API server shall know of our Ingresses: their addresses, and the finalizer that keeps an
/// Ingress until no appliance serves it any more. A few requests at a time. Nothing is tried again here:
/// `again` asks for a new look at everything, after a request that failed, or one whose object was asked to
/// become something else meanwhile.
class StatusWriter {
 public:
  StatusWriter(HttpLoop& loop, const Server& server, std::function<void()> again)
      : loop_(loop), server_(server), again_(std::move(again)) {}

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
  void on_answer(const std::string& key, const HttpResponse& response);
  void ask_again(HttpLoop::Clock::duration wait);

  HttpLoop& loop_;
  const Server& server_;
  const std::function<void()> again_;
  std::map<std::string, Patch> queue_;  ///< By key: the newest wins.
  struct Sent {
    std::string body;
    bool overtaken = false;  ///< Another body was wanted since.
  };
  std::map<std::string, Sent> on_its_way_;  ///< By key: one at a time.
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::seconds(10)};
  HttpLoop::Id asking_ = 0;  ///< A timer runs that will ask for another look.
  std::uint64_t written_ = 0, failed_ = 0;
};

}  // namespace sluice::mgmt::ingress
