// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mgmt/ingress/appliance/diff.h"
#include "mgmt/ingress/backoff.h"
#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// What shall hold, with a number to acknowledge it by. Shared by the fleet; the controller changes members
/// of groups in it, and tells.
struct Wanted {
  Translation translation;
  std::uint64_t version = 0;
  bool farewell = false;  ///< No class names the fleet any more: nothing of ours shall be there.
};

/// One appliance over its REST API: reads its state, changes what differs from what is wanted, and begins
/// anew after whatever goes wrong. Nothing is sent before it was read, and each change says on which revision
/// it is based.
///
///   closed --use()--> read --200--> idle --differs--> change --200--> idle
///                      ^             |  \--now and then: read (304 mostly)
///                      |-------------+--- 412, error (after a wait)
class Appliance {
 public:
  struct Counters {
    std::uint64_t reads = 0, changes = 0, objects = 0, refusals = 0, failures = 0;
  };
  /// `changed`: what is known of it did. `done`: only by what was wanted.
  Appliance(HttpLoop& loop, std::string name, std::string mark, std::chrono::seconds linger,
            std::function<void()> changed, std::function<void()> done);
  ~Appliance();
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;

  /// How it is reached from now on; what is on its way to it begins anew. None: it is not; what it holds stays.
  void use(std::optional<Server> server);
  /// Null: only look. Who does not lead only looks.
  void want(std::shared_ptr<const Wanted> wanted);
  /// These groups of what is wanted have other members than in version `before`. They are sent
  /// without a look at all else; that comes with the answer.
  void members_changed(const std::set<std::string>& groups, std::uint64_t before);

  const std::string& name() const { return name_; }
  /// Its state as known last; null before the first answer.
  const config::Config* state() const { return known_ ? &state_ : nullptr; }
  bool closed() const { return !server_; }
  bool reachable() const { return reachable_; }
  /// Null: who does not lead, or does not know enough yet, wants nothing of it.
  const Wanted* wanted() const { return wanted_.get(); }
  /// It has what is wanted, whole but for what it refused.
  bool in_sync() const { return wanted_ && acknowledged_ == wanted_->version; }
  /// Something with our mark was there when it was read last.
  bool holds_ours() const { return known_ && holds(state_, mark_); }
  /// "rules/ID" to the reason.
  const std::map<std::string, std::string>& refusals() const { return refusals_; }
  const Counters& counters() const { return counters_; }

 private:
  void read();
  void on_state(const HttpResponse& response);
  void compare();
  void send(Change change);
  void on_answer(const Change& change, const HttpResponse& response);
  bool note_refusals(const Change& change, const HttpResponse& response);
  void fail(const std::string& why);
  void wait(HttpLoop::Clock::duration delay, void (Appliance::*step)());

  HttpLoop& loop_;
  const std::string name_;
  std::optional<Server> server_;
  const std::string mark_;
  const std::function<void()> changed_, done_;
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::seconds(5)};
  HttpLoop::Id pending_ = 0;
  bool busy_ = true;  ///< A request is on its way, a wait after a failure runs, or it is closed.
  bool known_ = false, reachable_ = false;
  config::Config state_;
  std::string tag_;  ///< Of state_.
  HttpLoop::Clock::time_point read_at_{};
  std::shared_ptr<const Wanted> wanted_;
  std::uint64_t acknowledged_ = 0;
  Lingering lingering_;
  Refused refused_;
  std::map<std::string, std::string> refusals_;
  std::string last_failure_;
  Counters counters_;
};

}  // namespace sluice::mgmt::ingress
