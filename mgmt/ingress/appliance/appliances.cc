// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/appliance/appliances.h"

#include <algorithm>

#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/named_appliances.h"

namespace sluice::mgmt::ingress {
namespace {

using Clock = HttpLoop::Clock;

/// How long one that is new is waited for; from then on those that are known decide.
constexpr std::chrono::seconds kPatience{10};
/// How long one that nobody names any more has to answer.
constexpr std::chrono::minutes kFarewell{10};

/// Null: it is not known yet. One that cannot be used has a problem.
const ApplianceSecret* find_secret(const Cluster& cluster, const ObjectKey& key) {
  const auto found = cluster.appliance_secrets.find(key);
  return found == cluster.appliance_secrets.end() ? nullptr : &found->second;
}

Server server_of(const std::string& url, const ApplianceSecret& secret) {
  Server out;
  out.url = url;
  out.token = secret.token;
  out.ca_pem = secret.ca;
  return out;
}

bool serves(const config::Config& state, const std::string& load_balancer, const std::string& mark) {
  return std::any_of(state.listeners.begin(), state.listeners.end(), [&](const auto& l) {
    return l.second.load_balancer == load_balancer && l.second.managed_by == mark;
  });
}

}  // namespace

Appliances::Entry::Entry(HttpLoop& loop, const std::string& name, const Appliances& owner)
    : appliance(loop, name, owner.settings_.options.mark(), owner.settings_.linger, owner.changed_, owner.done_),
      since(Clock::now()) {}

Appliances::Appliances(HttpLoop& loop, const Settings& settings, std::function<void()> changed,
                       std::function<void()> done)
    : loop_(loop), settings_(settings), changed_(std::move(changed)), done_(std::move(done)) {}

Appliances::Entry& Appliances::entry_of(const std::string& url, const std::string& name) {
  const auto [at, first] = all_.try_emplace(url, loop_, name, *this);
  if (first) loop_.after(kPatience, changed_);
  at->second.named = true;
  return at->second;
}

void Appliances::follow(const Assignment& assignment, const Cluster& cluster) {
  for (const ApplianceSettings& a : settings_.appliances) entry_of(a.server.url, a.name).appliance.use(a.server);
  for (const auto& [url, key] : assignment.secrets) entry_of(url, appliance_name(url)).secret = key;
  const auto& common = settings_.options.appliances;
  for (auto& [url, entry] : all_) {
    const bool named = std::find(common.begin(), common.end(), url) != common.end() || assignment.secrets.contains(url);
    if (!named && entry.named) leave(entry);
    if (entry.secret && (named || entry.unread)) open(entry, url, cluster);
  }
}

void Appliances::open(Entry& entry, const std::string& url, const Cluster& cluster) {
  const ApplianceSecret* secret = find_secret(cluster, *entry.secret);
  if (secret == nullptr) return;
  entry.unread &= secret->unread;
  entry.appliance.use(secret->problem.empty() ? std::optional(server_of(url, *secret)) : std::nullopt);
}

std::set<ObjectKey> Appliances::secrets() const {
  std::set<ObjectKey> out;
  for (const auto& [url, entry] : all_) {
    if (entry.secret && (entry.named || entry.unread)) out.insert(*entry.secret);
  }
  return out;
}

ApplianceMemory Appliances::memory() const {
  ApplianceMemory out;
  for (const auto& [url, entry] : all_) {
    if (entry.secret) out.emplace(url, *entry.secret);
  }
  return out;
}

void Appliances::remembered(const ApplianceMemory& memory) {
  for (auto& [url, entry] : all_) entry.remembered = memory.contains(url);
}

void Appliances::recall(const ApplianceMemory& memory) {
  for (const auto& [url, secret] : memory) {
    if (all_.contains(url)) continue;
    Entry& entry = entry_of(url, appliance_name(url));
    entry.secret = secret;
    leave(entry);
  }
  remembered(memory);
}

void Appliances::leave(Entry& entry) {
  entry.named = false;
  entry.since = Clock::now();
  loop_.after(kFarewell, changed_);
  log_line("info", "appliance",
           {{"appliance", entry.appliance.name()}, {"state", "no class names it any more; it is emptied"}});
}

void Appliances::forget_left() {
  std::erase_if(all_, [](const auto& one) {
    const auto& [url, entry] = one;
    const Appliance& a = entry.appliance;
    if (entry.named) return false;
    const auto forget = [&](const char* level, const char* state) {
      log_line(level, "appliance", {{"appliance", a.name()}, {"state", state}});
      return true;
    };
    const bool told = a.in_sync() && a.wanted()->farewell;  // What users refer to stays.
    if (a.reachable() && (told || !a.holds_ours())) return forget("info", "emptied and forgotten");
    if (a.closed() && !entry.unread) return forget("warning", "forgotten as it is: nothing opens it");
    if (Clock::now() - entry.since >= kFarewell) return forget("warning", "forgotten as it is: it does not answer");
    return false;
  });
}

bool Appliances::awaited(const Entry& entry) const {
  return entry.appliance.state() == nullptr && Clock::now() - entry.since < kPatience;
}

std::vector<Fleet> Appliances::fleets(const Assignment& assignment) const {
  std::set<std::string> urls;
  for (const auto& [url, entry] : all_) urls.insert(url);
  std::vector<Fleet> out = find_fleets(assignment, urls);
  for (Fleet& fleet : out) {
    for (const std::string& url : fleet.appliances) {
      const Entry& entry = all_.at(url);
      fleet.pending |= awaited(entry) || (settings_.leader_election && entry.secret && !entry.remembered);
      if (entry.appliance.state() != nullptr) fleet.states.push_back(entry.appliance.state());
    }
    fleet.pending |= fleet.states.empty();
  }
  return out;
}

void Appliances::want(const std::set<std::string>& urls, const std::shared_ptr<const Wanted>& wanted) {
  for (const std::string& url : urls) all_.at(url).appliance.want(wanted);
}

void Appliances::want_nothing() {
  for (auto& [url, entry] : all_) entry.appliance.want(nullptr);
}

void Appliances::members_changed(const std::set<std::string>& urls, const std::set<std::string>& groups,
                                 std::uint64_t before) {
  for (const std::string& url : urls) {
    if (const auto found = all_.find(url); found != all_.end()) found->second.appliance.members_changed(groups, before);
  }
}

bool Appliances::settled(const std::vector<std::string>& urls) const {
  bool any = urls.empty();
  for (const std::string& url : urls) {
    const auto found = all_.find(url);
    if (found == all_.end() || !found->second.appliance.reachable()) continue;
    if (!found->second.appliance.in_sync()) return false;
    any = true;
  }
  return any;
}

bool Appliances::all_settled() const {
  std::vector<std::string> urls;
  for (const auto& [url, entry] : all_) urls.push_back(url);
  return settled(urls);
}

bool Appliances::known() const {
  bool any = false, none_named = true;
  for (const auto& [url, entry] : all_) {
    if (!entry.named) continue;
    if (awaited(entry)) return false;
    none_named = false;
    any |= entry.appliance.state() != nullptr;
  }
  return any || none_named;
}

std::vector<std::string> Appliances::addresses_of(const std::string& load_balancer,
                                                  const std::vector<std::string>& urls) const {
  std::vector<std::string> out;
  for (const std::string& url : urls) {
    const auto found = all_.find(url);
    const config::Config* state = found == all_.end() ? nullptr : found->second.appliance.state();
    if (state == nullptr) continue;
    const auto lb = state->load_balancers.find(load_balancer);
    if (lb == state->load_balancers.end() || !serves(*state, load_balancer, settings_.options.mark())) continue;
    for (const std::string& address : lb->second.addresses) {
      if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
    }
  }
  return out;
}

std::vector<const Appliance*> Appliances::all() const {
  std::vector<const Appliance*> out;
  for (const auto& [url, entry] : all_) out.push_back(&entry.appliance);
  return out;
}

}  // namespace sluice::mgmt::ingress
