// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/controller.h"

#include <algorithm>
#include <utility>

#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/backends.h"

namespace sluice::mgmt::ingress {
namespace {

using Clock = HttpLoop::Clock;

/// Changes come in bursts (a rollout, the first lists): those within this time are one.
constexpr std::chrono::milliseconds kGather{20};
/// For what was written back and comes to us again, thousands of them after a start.
constexpr std::chrono::milliseconds kGatherSeen{200};

bool is_marked(const Ingress& ingress) {
  const auto& there = ingress.meta.finalizers;
  return std::find(there.begin(), there.end(), kFinalizer) != there.end();
}

bool asks_for_the_same(const Wanted& a, const Wanted& b) {
  return a.translation.model == b.translation.model && a.translation.taken_over == b.translation.taken_over &&
         a.translation.released == b.translation.released && a.farewell == b.farewell;
}

}  // namespace

/// Where classes are served, each asked for once: thousands of Ingresses have the same.
class Controller::AddressBook {
 public:
  AddressBook(const Appliances& appliances, const Assignment& assignment)
      : appliances_(appliances), assignment_(assignment) {}

  bool any(const std::string& class_name) const { return !urls(class_name).empty(); }
  bool settled(const std::string& class_name) {
    const auto [at, first] = settled_.try_emplace(class_name);
    if (first) at->second = appliances_.settled(urls(class_name));
    return at->second;
  }
  const std::vector<std::string>& of(const Outcome& outcome) {
    const auto [at, first] = addresses_.try_emplace({outcome.class_name, outcome.load_balancer});
    if (first) at->second = appliances_.addresses_of(outcome.load_balancer, urls(outcome.class_name));
    return at->second;
  }

 private:
  const std::vector<std::string>& urls(const std::string& class_name) const {
    static const std::vector<std::string> kNone;
    const auto found = assignment_.classes.find(class_name);
    return found == assignment_.classes.end() ? kNone : found->second;
  }

  const Appliances& appliances_;
  const Assignment& assignment_;
  std::map<std::string, bool> settled_;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> addresses_;
};

Controller::Controller(HttpLoop& loop, const Settings& settings)
    : loop_(loop),
      settings_(settings),
      events_(loop, settings_.api_server, settings_.identity),
      status_(loop, settings_.api_server, [this] { look(kGather); }),
      cluster_(
          loop, settings_.api_server, settings_.watch_namespace,
          {[this] { changed(); }, [this] { look(kGatherSeen); }, [this](const ObjectKey& s) { moved(s); }}),
      appliances_(
          loop, settings_, [this] { changed(); }, [this] { look(kGather); }) {
  if (settings_.options.external_names) names_.emplace(loop_, settings_.dns_interval, [this] { changed(); });
  if (settings_.leader_election) {
    lease_.emplace(
        loop_, settings_.api_server,
        LeaseElection::Settings{settings_.lease_namespace, settings_.lease_name, settings_.identity},
        [this](bool leader) {
          if (!leader) {
            plan_.reset();
            serving_.clear();
            appliances_.want_nothing();
            status_.drop_queue();
          }
          recalled_ = false;
          events_.forget_all();
          changed();
        },
        [this] {
          appliances_.remembered(memory_);
          changed();
        });
  }
}

void Controller::start() {
  cluster_.start();
  appliances_.follow({}, cluster_.cluster());
  if (lease_) lease_->start();
}

void Controller::changed() {
  outdated_ = pending_ = true;
  look(kGather);
}

void Controller::moved(const ObjectKey& service) {
  moved_.insert(service);
  pending_ = true;
  look(kGather);
}

void Controller::look(Clock::duration wait) {
  const auto due = Clock::now() + wait;
  if (stopping_ || (scheduled_ != 0 && due_ <= due)) return;
  loop_.cancel(scheduled_);
  due_ = due;
  scheduled_ = loop_.after(wait, [this] {
    scheduled_ = 0;
    reconcile();
  });
}

bool Controller::ready() const { return cluster_.listed() && appliances_.known(); }

void Controller::reconcile() {
  // A view with holes would take away what is right.
  if (stopping_ || !cluster_.listed()) return;
  if (outdated_) follow_classes();
  if (!leads()) return appliances_.forget_left();
  if (!outdated_ && plan_ && !moved_.empty()) outdated_ = !update_members();
  if (outdated_ || !plan_) {
    if (!plan_anew()) return;
    look(kGather);  // What is to be written back waits until the change is on its way.
  } else {
    write_back();
    appliances_.forget_left();
    remember();
  }
  pending_ = false;
}

/// Also of a follower: it has to know the appliances on the day that it leads.
void Controller::follow_classes() {
  assignment_ = assign_appliances(cluster_.cluster(), settings_.options);
  appliances_.follow(assignment_, cluster_.cluster());
  if (lease_ && leads() && !std::exchange(recalled_, true)) appliances_.recall(read_memory(lease_->note()));
  cluster_.name_appliance_secrets(appliances_.secrets());
  remember();
}

/// Before anything is put on an appliance that is new, and when one is forgotten.
void Controller::remember() {
  if (!lease_ || !recalled_ || !leads()) return;
  memory_ = appliances_.memory();
  if (lease_->keep(text_of(memory_))) appliances_.remembered(memory_);
}

/// False: only a whole plan can tell.
bool Controller::update_members() {
  std::vector<std::map<std::string, std::vector<config::Member>>> found(serving_.size());
  for (std::size_t i = 0; i < serving_.size(); ++i) {
    for (const ObjectKey& service : moved_) {
      auto groups = Backends::members_now(cluster_.cluster(), service, serving_[i].wanted->translation);
      if (!groups) return false;
      found[i].merge(*groups);
    }
  }
  moved_.clear();
  for (std::size_t i = 0; i < serving_.size(); ++i) take_members(serving_[i], std::move(found[i]));
  return true;
}

void Controller::take_members(Serving& serving, std::map<std::string, std::vector<config::Member>> found) {
  std::set<std::string> changed;
  for (auto& [id, members] : found) {
    config::ServerGroup& group = serving.wanted->translation.model.server_groups.at(id);
    if (group.members == members) continue;
    group.members = std::move(members);
    changed.insert(id);
  }
  if (changed.empty()) return;
  const std::uint64_t before = std::exchange(serving.wanted->version, ++last_version_);
  ++member_updates_;
  appliances_.members_changed(serving.appliances, changed, before);
}

/// False: it needs Secrets that are on their way.
bool Controller::plan_anew() {
  static const ResolvedNames kNoNames;
  const auto begin = Clock::now();
  Plan plan = make_plan(cluster_.cluster(), assignment_, appliances_.fleets(assignment_), settings_.options,
                        names_ ? names_->known() : kNoNames);
  if (names_) names_->want(plan.names);
  outdated_ = false;
  moved_.clear();
  cluster_.name_secrets(plan.secrets);
  if (!cluster_.secrets_settled()) {
    outdated_ = true;  // Their arrival brings us here again.
    return false;
  }
  adopt(std::move(plan));
  ++reconciles_;
  last_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  return true;
}

void Controller::adopt(Plan plan) {
  const auto before = std::exchange(serving_, {});
  for (Plan::Part& part : plan.parts) {
    if (part.fleet.pending) {
      appliances_.want(part.fleet.appliances, nullptr);
      continue;
    }
    auto wanted = std::make_shared<Wanted>();
    wanted->translation = std::move(part.translation);
    wanted->farewell = part.fleet.classes.empty();
    const auto old = std::find_if(before.begin(), before.end(),
                                  [&](const Serving& s) { return s.appliances == part.fleet.appliances; });
    const bool same = old != before.end() && asks_for_the_same(*old->wanted, *wanted);
    wanted->version = same ? old->wanted->version : ++last_version_;
    serving_.push_back({std::move(part.fleet.appliances), std::move(wanted)});
  }
  plan.parts.clear();
  plan_ = std::move(plan);
  for (const Serving& s : serving_) appliances_.want(s.appliances, s.wanted);
}

std::vector<Notice> Controller::refusal_notices() const {
  std::vector<Notice> out;
  for (const Appliance* a : appliances_.all()) {
    if (a->wanted() == nullptr) continue;
    for (const auto& [object, message] : a->refusals()) {
      const auto origin = a->wanted()->translation.origins.find(object);
      if (origin == a->wanted()->translation.origins.end()) continue;
      out.push_back({origin->second, "RefusedByAppliance",
                     "Appliance " + a->name() + " refuses " + object + ": " + message});
    }
  }
  return out;
}

void Controller::write_back() {
  AddressBook addresses(appliances_, assignment_);
  const bool all_settled = appliances_.all_settled();
  for (const auto& [key, ingress] : cluster_.cluster().ingresses) {
    const auto found = plan_->ingresses.find(key);
    if (found == plan_->ingresses.end()) {
      if (all_settled) forget(ingress);
    } else if (found->second.deleting) {
      if (all_settled && !found->second.pending && addresses.settled(found->second.class_name)) forget(ingress);
    } else {
      show(ingress, found->second, addresses);
    }
  }
  std::vector<Notice> notices = plan_->notices;
  for (Notice& n : refusal_notices()) notices.push_back(std::move(n));
  notices_.clear();
  for (const Notice& n : notices) ++notices_[n.reason];
  events_.set(notices, cluster_.cluster());
}

/// It was ours and nothing serves it any more, neither where it is now nor where it was.
void Controller::forget(const Ingress& ingress) {
  if (!is_marked(ingress)) return;
  if (!ingress.meta.deleting) status_.set_addresses(ingress, {});
  status_.set_finalizer(ingress, false);
}

void Controller::show(const Ingress& ingress, const Outcome& outcome, AddressBook& addresses) {
  if (outcome.pending) return;
  if (!is_marked(ingress) && addresses.any(outcome.class_name)) {
    status_.set_finalizer(ingress, true);  // Then the address, when that is seen: both at once would be a conflict.
  } else if (outcome.load_balancer.empty()) {
    status_.set_addresses(ingress, {});
  } else if (addresses.settled(outcome.class_name)) {
    status_.set_addresses(ingress, addresses.of(outcome));
  }
}

void Controller::stop(std::function<void()> done) {
  stopping_ = true;
  appliances_.want_nothing();
  status_.drop_queue();
  if (lease_) {
    lease_->release(std::move(done));
  } else {
    done();
  }
}

}  // namespace sluice::mgmt::ingress
