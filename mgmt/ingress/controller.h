// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "mgmt/ingress/appliance/appliances.h"
#include "mgmt/ingress/k8s/event_recorder.h"
#include "mgmt/ingress/k8s/lease.h"
#include "mgmt/ingress/model/plan.h"
#include "mgmt/ingress/name_resolver.h"
#include "mgmt/ingress/settings.h"
#include "mgmt/ingress/status_writer.h"
#include "mgmt/ingress/watched_cluster.h"

namespace sluice::mgmt::ingress {

/// The loop of it all: cluster and appliances as known -> make_plan() -> appliances, Events, status. It runs
/// whenever either side has changed, always over everything; nothing is remembered that could not be read
/// again, but for the appliances that classes named, which the Lease knows. What changed only by what was written
/// back (an address, a finalizer, an acknowledgement) is not translated anew, and endpoints change the members of
/// their groups alone.
class Controller {
 public:
  Controller(HttpLoop& loop, const Settings& settings);

  void start();
  /// Hands over to another controller; the data plane stays as it is. `done` comes soon, in any case.
  void stop(std::function<void()> done);
  std::string metrics() const;
  /// Follows or leads, and knows the cluster and an appliance.
  bool ready() const;

 private:
  void changed();
  void moved(const ObjectKey& service);
  void reconcile();
  /// Something did that decides nothing: only what is to be written back is looked at.
  void look(HttpLoop::Clock::duration wait);
  bool leads() const { return !lease_ || lease_->leader(); }
  void follow_classes();
  void remember();
  bool plan_anew();
  void adopt(Plan plan);
  bool update_members();
  /// What a fleet has been told to hold.
  struct Serving {
    std::set<std::string> appliances;  ///< By URL.
    std::shared_ptr<Wanted> wanted;
  };
  void take_members(Serving& serving, std::map<std::string, std::vector<config::Member>> found);
  void write_back();
  class AddressBook;
  void show(const Ingress& ingress, const Outcome& outcome, AddressBook& addresses);
  void forget(const Ingress& ingress);
  std::vector<Notice> refusal_notices() const;

  HttpLoop& loop_;
  const Settings settings_;
  EventRecorder events_;
  StatusWriter status_;
  WatchedCluster cluster_;
  std::optional<NameResolver> names_;  ///< When ExternalNames are followed.
  Appliances appliances_;
  std::optional<LeaseElection> lease_;
  bool recalled_ = false;   ///< Of this leadership: what the Lease knew of appliances was taken over.
  ApplianceMemory memory_;  ///< What it shall know.
  HttpLoop::Id scheduled_ = 0;
  HttpLoop::Clock::time_point due_{};  ///< Of scheduled_.
  bool stopping_ = false;
  bool pending_ = false;       ///< Something changed that may decide something, and was not looked at yet.
  bool outdated_ = true;       ///< plan_ was not made of all that is known now.
  std::set<ObjectKey> moved_;  ///< Services whose endpoints are others than in serving_.
  Assignment assignment_;
  std::optional<Plan> plan_;      ///< Without its parts: those are serving_.
  std::vector<Serving> serving_;  ///< Fleets that are not pending.
  std::uint64_t last_version_ = 0;  ///< Never given twice, also over several leaderships.
  std::uint64_t reconciles_ = 0, member_updates_ = 0;
  double last_seconds_ = 0;
  std::map<std::string, std::size_t> notices_;  ///< By reason.
};

}  // namespace sluice::mgmt::ingress
