// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/controller.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/backends.h"

namespace sluice::mgmt::ingress {
namespace {

using Clock = HttpLoop::Clock;

/// Changes come in bursts (a rollout, the first lists): those within this time are one.
constexpr std::chrono::milliseconds kGather{20};
/// For what was written back and comes to us again, thousands of them after a start.
constexpr std::chrono::milliseconds kGatherSeen{200};
/// How long a start waits for all appliances; from then on those that are known decide.
constexpr std::chrono::seconds kPatience{10};

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Controller::Controller(HttpLoop& loop, const Settings& settings)
    : loop_(loop),
      settings_(settings),
      events_(loop, settings_.api_server, settings_.identity),
      status_(loop, settings_.api_server, [this] { look(kGather); }),
      cluster_(
          loop, settings_.api_server, settings_.watch_namespace,
          {[this] { changed(); }, [this] { look(kGatherSeen); }, [this](const ObjectKey& s) { moved(s); }}) {
  if (settings_.options.external_names) names_.emplace(loop_, [this] { changed(); });
  for (const ApplianceSettings& a : settings_.appliances) {
    appliances_.emplace_back(
        loop_, a.name, a.server, settings_.options.mark(), settings_.linger, [this] { changed(); },
        [this] { look(kGather); });
  }
  if (settings_.leader_election) {
    lease_.emplace(
        loop_, settings_.api_server,
        LeaseElection::Settings{settings_.lease_namespace, settings_.lease_name, settings_.identity},
        [this](bool leader) {
          if (!leader) {
            wanted_ = nullptr;
            for (Appliance& a : appliances_) a.want(nullptr);
            status_.drop_queue();
          }
          events_.forget_all();
          changed();
        });
  }
}

void Controller::start() {
  started_ = Clock::now();
  cluster_.start();
  for (Appliance& a : appliances_) a.start();
  if (lease_) lease_->start();
  loop_.after(kPatience, [this] { changed(); });
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

bool Controller::appliances_known() const {
  const auto known = static_cast<std::size_t>(std::count_if(
      appliances_.begin(), appliances_.end(), [](const Appliance& a) { return a.state() != nullptr; }));
  return known == appliances_.size() || (known != 0 && Clock::now() - started_ > kPatience);
}

bool Controller::ready() const { return cluster_.listed() && appliances_known(); }

void Controller::reconcile() {
  // A view with holes would take away what is right.
  if (stopping_ || (lease_ && !lease_->leader())) return;
  if (!cluster_.listed() || !appliances_known()) return;
  if (!outdated_ && wanted_ && !moved_.empty()) outdated_ = !update_members();
  if (outdated_ || !wanted_) {
    if (!translate_anew()) return;
    look(kGather);  // What is to be written back waits until the change is on its way.
  } else {
    write_back();
  }
  pending_ = false;
}

/// False: only a whole translation can tell.
bool Controller::update_members() {
  std::map<std::string, std::vector<config::Member>> found;
  for (const ObjectKey& service : moved_) {
    auto groups = Backends::members_now(cluster_.cluster(), service, wanted_->translation);
    if (!groups) return false;
    found.merge(*groups);
  }
  moved_.clear();
  std::set<std::string> changed;
  for (auto& [id, members] : found) {
    config::ServerGroup& group = wanted_->translation.model.server_groups.at(id);
    if (group.members == members) continue;
    group.members = std::move(members);
    changed.insert(id);
  }
  if (changed.empty()) return true;
  wanted_->version = ++last_version_;
  ++member_updates_;
  for (Appliance& a : appliances_) a.members_changed(changed);
  return true;
}

/// False: it needs Secrets that are on their way.
bool Controller::translate_anew() {
  static const ResolvedNames kNoNames;
  const auto begin = Clock::now();
  std::vector<const config::Config*> states;
  for (const Appliance& a : appliances_) {
    if (a.state() != nullptr) states.push_back(a.state());
  }
  auto wanted = std::make_shared<Wanted>();
  wanted->translation =
      translate(cluster_.cluster(), states, settings_.options, names_ ? names_->known() : kNoNames);
  if (names_) names_->want(wanted->translation.names);
  outdated_ = false;
  moved_.clear();
  cluster_.name_secrets(wanted->translation.secrets);
  if (!cluster_.secrets_settled()) {
    outdated_ = true;  // Their arrival brings us here again.
    return false;
  }

  const bool same = wanted_ && wanted_->translation.model == wanted->translation.model &&
                    wanted_->translation.taken_over == wanted->translation.taken_over &&
                    wanted_->translation.released == wanted->translation.released;
  wanted->version = same ? last_version_ : ++last_version_;
  wanted_ = std::move(wanted);
  for (Appliance& a : appliances_) a.want(wanted_);
  ++reconciles_;
  last_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  return true;
}

/// All that can be asked have this version. Those that are away catch up when they are back.
bool Controller::acknowledged(std::uint64_t version) const {
  bool any = false;
  for (const Appliance& a : appliances_) {
    if (!a.reachable()) continue;
    if (a.acknowledged() != version) return false;
    any = true;
  }
  return any;
}

/// Where an appliance serves this load balancer, our listeners on it, whether or not it can be reached just
/// now.
std::vector<std::string> Controller::addresses_of(const std::string& load_balancer) const {
  std::vector<std::string> out;
  for (const Appliance& a : appliances_) {
    if (a.state() == nullptr) continue;
    const auto lb = a.state()->load_balancers.find(load_balancer);
    if (lb == a.state()->load_balancers.end()) continue;
    const bool ours =
        std::any_of(a.state()->listeners.begin(), a.state()->listeners.end(), [&](const auto& l) {
          return l.second.load_balancer == load_balancer && l.second.managed_by == settings_.options.mark();
        });
    if (!ours) continue;
    for (const std::string& address : lb->second.addresses) {
      if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
    }
  }
  return out;
}

std::vector<Notice> Controller::refusal_notices() const {
  std::vector<Notice> out;
  for (const Appliance& a : appliances_) {
    for (const auto& [object, message] : a.refusals()) {
      const auto origin = wanted_->translation.origins.find(object);
      if (origin == wanted_->translation.origins.end()) continue;
      out.push_back({origin->second, "RefusedByAppliance",
                     "Appliance " + a.name() + " refuses " + object + ": " + message, true});
    }
  }
  return out;
}

void Controller::write_back() {
  const Translation& t = wanted_->translation;
  const bool settled = acknowledged(wanted_->version);
  std::map<std::string, std::vector<std::string>> addresses;
  for (const auto& [key, ingress] : cluster_.cluster().ingresses) {
    const auto outcome = t.ingresses.find(key);
    const bool ours = outcome != t.ingresses.end();
    const bool marked = std::find(ingress.meta.finalizers.begin(), ingress.meta.finalizers.end(),
                                  kFinalizer) != ingress.meta.finalizers.end();
    if (ours && !outcome->second.deleting) {
      const std::string& lb = outcome->second.load_balancer;
      if (!marked) {  // Then the address, when that is seen: with both at once, one would be a conflict.
        status_.set_finalizer(ingress, true);
      } else if (lb.empty()) {
        status_.set_addresses(ingress, {});
      } else if (settled) {
        auto [at, first] = addresses.try_emplace(lb);
        if (first) at->second = addresses_of(lb);
        status_.set_addresses(ingress, at->second);
      }
    } else if (marked && settled) {  // It was ours and nothing serves it any more.
      if (!ours && !ingress.meta.deleting) status_.set_addresses(ingress, {});
      status_.set_finalizer(ingress, false);
    }
  }
  std::vector<Notice> notices = t.notices;
  for (Notice& n : refusal_notices()) notices.push_back(std::move(n));
  notices_.clear();
  for (const Notice& n : notices) ++notices_[n.reason];
  events_.set(notices, cluster_.cluster().ingresses);
}

void Controller::stop(std::function<void()> done) {
  stopping_ = true;
  for (Appliance& a : appliances_) a.want(nullptr);
  status_.drop_queue();
  if (lease_) {
    lease_->release(std::move(done));
  } else {
    done();
  }
}

std::string Controller::metrics() const {
  std::string out;
  const auto head = [&](const char* name, const char* type, const char* help) {
    out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  };
  const auto one = [&](const char* name, const char* type, const char* help, double value) {
    head(name, type, help);
    out += fmt::format("{} {}\n", name, value);
  };
  one("sluice_ingress_leader", "gauge", "Whether this controller writes.",
      !lease_ || lease_->leader() ? 1 : 0);
  one("sluice_ingress_ready", "gauge", "Whether cluster and appliances are known.", ready() ? 1 : 0);
  one("sluice_ingress_pending", "gauge", "Whether a leader has seen changes that it has not acted upon yet.",
      pending_ && (!lease_ || lease_->leader()) ? 1 : 0);
  one("sluice_ingress_reconciles_total", "counter", "Translations of the whole cluster.",
      static_cast<double>(reconciles_));
  one("sluice_ingress_member_updates_total", "counter", "Changes of endpoints that needed no translation.",
      static_cast<double>(member_updates_));
  one("sluice_ingress_reconcile_seconds", "gauge", "Duration of the last one.", last_seconds_);
  one("sluice_ingress_resident_bytes", "gauge", "Resident memory.", static_cast<double>(resident_bytes()));
  one("sluice_ingress_secrets_read_total", "counter", "Secrets read.",
      static_cast<double>(cluster_.secrets_read()));
  one("sluice_ingress_events_sent_total", "counter", "Events recorded.", static_cast<double>(events_.sent()));
  one("sluice_ingress_events_dropped_total", "counter", "Events that could not be recorded.",
      static_cast<double>(events_.dropped()));
  one("sluice_ingress_status_writes_total", "counter", "Status and finalizer updates.",
      static_cast<double>(status_.written()));
  one("sluice_ingress_status_failures_total", "counter", "Those that failed.",
      static_cast<double>(status_.failed()));
  one("sluice_ingress_name_failures_total", "counter", "ExternalNames that the DNS did not answer for.",
      names_ ? static_cast<double>(names_->failures()) : 0);
  one("sluice_ingress_ingresses", "gauge", "Ingresses that are ours.",
      wanted_ ? static_cast<double>(wanted_->translation.ingresses.size()) : 0);
  head("sluice_ingress_notices", "gauge", "What is wrong with objects now, by reason.");
  for (const auto& [reason, n] : notices_)
    out += fmt::format("sluice_ingress_notices{{reason=\"{}\"}} {}\n", reason, n);
  const auto watch = [&](const char* name, const char* help, auto value) {
    head(name, "counter", help);
    for (const Reflector& r : cluster_.reflectors())
      out += fmt::format("{}{{kind=\"{}\"}} {}\n", name, r.source().name, r.counters().*value);
  };
  head("sluice_ingress_watch_version", "gauge", "The resourceVersion that everything was seen up to.");
  for (const Reflector& r : cluster_.reflectors()) {
    // Meant to be opaque, but a number wherever etcd is behind it.
    if (!r.version().empty() && r.version().find_first_not_of("0123456789") == std::string::npos)
      out += fmt::format("sluice_ingress_watch_version{{kind=\"{}\"}} {}\n", r.source().name, r.version());
  }
  watch("sluice_ingress_lists_total", "Pages of lists asked for.", &Reflector::Counters::lists);
  watch("sluice_ingress_watches_total", "Watches started.", &Reflector::Counters::watches);
  watch("sluice_ingress_watch_events_total", "Events of watches.", &Reflector::Counters::events);
  watch("sluice_ingress_resyncs_total", "Watches that lost their place.", &Reflector::Counters::resyncs);
  watch("sluice_ingress_watch_failures_total", "Lists and watches that failed.",
        &Reflector::Counters::failures);
  const auto appliance = [&](const char* name, const char* type, const char* help, auto value) {
    head(name, type, help);
    for (const Appliance& a : appliances_)
      out += fmt::format("{}{{appliance=\"{}\"}} {}\n", name, a.name(), value(a));
  };
  appliance("sluice_ingress_appliance_reachable", "gauge", "Whether the last request was answered.",
            [](const Appliance& a) { return a.reachable() ? 1 : 0; });
  appliance("sluice_ingress_appliance_in_sync", "gauge", "Whether it has what is wanted.",
            [&](const Appliance& a) { return wanted_ && a.acknowledged() == wanted_->version ? 1 : 0; });
  appliance("sluice_ingress_appliance_changes_total", "counter", "Changes sent.",
            [](const Appliance& a) { return a.counters().changes; });
  appliance("sluice_ingress_appliance_refusals_total", "counter", "Objects refused.",
            [](const Appliance& a) { return a.counters().refusals; });
  appliance("sluice_ingress_appliance_failures_total", "counter", "Requests that failed.",
            [](const Appliance& a) { return a.counters().failures; });
  return out;
}

}  // namespace sluice::mgmt::ingress
