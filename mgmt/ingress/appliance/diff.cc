// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/appliance/diff.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgmt/config/json.h"

namespace sluice::mgmt::ingress {
namespace {

using config::Config;
using config::KindOf;

/// Ids of a kind that objects without our mark refer to: those must not go.
struct Referred {
  std::set<std::string> load_balancers, listeners, groups, certificates, access_lists;

  Referred(const Config& there, const std::string& mark, const std::set<std::string>& going) {
    for (const auto& [id, listener] : there.listeners) {
      if (listener.managed_by == mark || going.contains(id)) continue;
      add(listener);
    }
    for (const auto& [id, rule] : there.rules) {
      if (rule.managed_by == mark || going.contains(rule.listener)) continue;
      listeners.insert(rule.listener);
      add(rule.action);
    }
  }
  void add(const config::Listener& listener) {
    load_balancers.insert(listener.load_balancer);
    if (listener.default_action) add(*listener.default_action);
    for (const auto& ref : listener.certificates) certificates.insert(ref.certificate);
    if (!listener.access_control) return;
    const auto& lists = listener.access_control->access_control_lists;
    access_lists.insert(lists.begin(), lists.end());
  }
  void add(const config::Action& action) {
    const auto* forward = std::get_if<config::ForwardAction>(&action);
    for (const auto& ref : forward == nullptr ? decltype(forward->server_groups){} : forward->server_groups)
      groups.insert(ref.server_group);
  }
};

class Differ {
 public:
  Differ(const Config& there, const Translation& wanted, const std::string& mark, const Refused& refused,
         Lingering& lingering, Lingering::Clock::time_point now)
      : there_(there),
        wanted_(wanted),
        mark_(mark),
        refused_(refused),
        lingering_(lingering),
        now_(now),
        referred_(there, mark, wanted.taken_over) {}

  Change run() {
    take_over();
    for (const auto& [id, c] : wanted_.model.certificates) put(with_known_key(c));
    for (const auto& [id, g] : wanted_.model.server_groups) put(with_lingering(g));
    for (const auto& [id, l] : wanted_.model.access_control_lists) put(l);
    for (const auto& [id, lb] : wanted_.model.load_balancers) put(with_known_addresses(lb));
    for (const auto& [id, l] : wanted_.model.listeners) put(without_refused(l));
    for (const auto& [id, r] : wanted_.model.rules) {
      if (complete(r)) put(r);
    }
    release();
    remove<config::Rule>({});
    remove<config::Listener>(referred_.listeners);
    keep_load_balancers_of_kept_listeners();
    remove<config::ServerGroup>(referred_.groups);
    remove<config::LoadBalancer>(referred_.load_balancers);
    remove<config::Certificate>(referred_.certificates);
    remove<config::AccessControlList>(referred_.access_lists);
    lingering_.forget_expired(now_);
    return std::move(change_);
  }

  Change run_groups(const std::set<std::string>& groups) {
    for (const std::string& id : groups) put(with_lingering(wanted_.model.server_groups.at(id)));
    return std::move(change_);
  }

 private:
  template <class T>
  const T* find(const std::string& id) const {
    const auto& all = there_.*KindOf<T>::kMap;
    const auto found = all.find(id);
    return found == all.end() ? nullptr : &found->second;
  }

  template <class T>
  bool is_refused(const T& object) const {
    if (refused_.empty()) return false;
    const auto found = refused_.find(std::string(KindOf<T>::kMember) + "/" + object.id);
    return found != refused_.end() && found->second == fingerprint(object);
  }

  template <class T>
  void put(const T& object) {
    const T* before = find<T>(object.id);
    if ((before == nullptr || !(*before == object)) && !is_refused(object))
      (change_.put.*KindOf<T>::kMap).emplace(object.id, object);
  }

  template <class T>
  bool will_exist(const std::string& id) const {
    return find<T>(id) != nullptr || (change_.put.*KindOf<T>::kMap).contains(id);
  }

  void take_over() {
    for (const std::string& id : wanted_.taken_over) {
      if (find<config::Listener>(id) == nullptr) continue;
      change_.remove["listeners"].insert(id);
      change_.override_manager = true;
    }
    for (const auto& [id, rule] : there_.rules) {
      if (wanted_.taken_over.contains(rule.listener)) change_.remove["rules"].insert(id);
    }
  }

  /// An appliance never shows keys: the same chain goes with the same key.
  config::Certificate with_known_key(config::Certificate c) const {
    const auto* before = find<config::Certificate>(c.id);
    if (before != nullptr && before->certificate == c.certificate) c.private_key = before->private_key;
    return c;
  }

  config::LoadBalancer with_known_addresses(config::LoadBalancer lb) const {
    const auto* before = find<config::LoadBalancer>(lb.id);
    if (before != nullptr && lb.addresses.empty()) lb.addresses = before->addresses;
    return lb;
  }

  config::ServerGroup with_lingering(config::ServerGroup g) {
    const auto* before = find<config::ServerGroup>(g.id);
    if (before == nullptr) return g;
    std::optional<Lingering::Clock::duration> linger;
    if (const auto own = wanted_.drain_s.find(g.id); own != wanted_.drain_s.end())
      linger = std::chrono::seconds(own->second);
    std::set<std::string> wanted;
    for (const auto& m : g.members) {
      wanted.insert(m.id);
      lingering_.forget(g.id, m.id);
    }
    for (config::Member m : before->members) {
      // A group that would be left with nothing but drained members keeps none: its 503 has to come at once.
      if (wanted.contains(m.id) || !lingering_.keep(g.id, m.id, now_, linger)) continue;
      m.drain = true;
      g.members.push_back(std::move(m));
    }
    std::sort(g.members.begin(), g.members.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return g;
  }

  config::Listener without_refused(config::Listener l) const {
    if (refused_.empty()) return l;
    std::erase_if(l.certificates,
                  [&](const auto& ref) { return !will_exist<config::Certificate>(ref.certificate); });
    if (l.default_action && !exists(*l.default_action)) l.default_action.reset();
    return l;
  }

  bool exists(const config::Action& action) const {
    const auto* forward = std::get_if<config::ForwardAction>(&action);
    return forward == nullptr ||
           std::all_of(forward->server_groups.begin(), forward->server_groups.end(),
                       [&](const auto& ref) { return will_exist<config::ServerGroup>(ref.server_group); });
  }

  bool complete(const config::Rule& r) const {
    return refused_.empty() || (will_exist<config::Listener>(r.listener) && exists(r.action));
  }

  void release() {
    for (const std::string& id : wanted_.released) {
      const auto* before = find<config::LoadBalancer>(id);
      if (before == nullptr || before->managed_by != mark_) continue;
      config::LoadBalancer free = *before;
      free.managed_by.clear();
      change_.put.load_balancers[id] = std::move(free);
    }
  }

  template <class T>
  void remove(const std::set<std::string>& referred) {
    for (const auto& [id, object] : there_.*KindOf<T>::kMap) {
      const bool wanted =
          (wanted_.model.*KindOf<T>::kMap).contains(id) || (change_.put.*KindOf<T>::kMap).contains(id);
      if (object.managed_by != mark_ || wanted || referred.contains(id)) continue;
      change_.remove[std::string(KindOf<T>::kMember)].insert(id);
    }
  }

  void keep_load_balancers_of_kept_listeners() {
    for (const std::string& id : referred_.listeners) {
      const auto* listener = find<config::Listener>(id);
      if (listener != nullptr) referred_.add(*listener);
    }
  }

  const Config& there_;
  const Translation& wanted_;
  const std::string& mark_;
  const Refused& refused_;
  Lingering& lingering_;
  const Lingering::Clock::time_point now_;
  Referred referred_;
  Change change_;
};

template <class T>
void apply_kind(const Change& change, Config& there) {
  const auto removed = change.remove.find(std::string(KindOf<T>::kMember));
  if (removed != change.remove.end()) {
    for (const std::string& id : removed->second) (there.*KindOf<T>::kMap).erase(id);
  }
  for (const auto& [id, object] : change.put.*KindOf<T>::kMap)
    (there.*KindOf<T>::kMap).insert_or_assign(id, object);
}

}  // namespace

bool Lingering::keep(const std::string& group, const std::string& member, Clock::time_point now,
                     std::optional<Clock::duration> linger) {
  return now < until_.try_emplace({group, member}, now + linger.value_or(linger_)).first->second;
}

void Lingering::forget_expired(Clock::time_point now) {
  // Longer than it takes to remove a member that has lingered, or it would begin anew.
  std::erase_if(until_, [&](const auto& e) { return e.second + linger_ + std::chrono::seconds(60) < now; });
}

Lingering::Clock::time_point Lingering::next(Clock::time_point now) const {
  auto out = Clock::time_point::max();
  for (const auto& [member, until] : until_) {
    if (until > now) out = std::min(out, until);
  }
  return out;
}

bool Change::empty() const { return size() == 0; }

std::size_t Change::size() const {
  std::size_t n = put.load_balancers.size() + put.listeners.size() + put.rules.size() +
                  put.server_groups.size() + put.certificates.size() + put.access_control_lists.size();
  for (const auto& [member, ids] : remove) n += ids.size();
  return n;
}

nlohmann::json Change::to_json() const {
  nlohmann::json out = {{"put", config::to_json(put, config::Secrets::kShow)},
                        {"delete", nlohmann::json::object()}};
  for (const auto& [member, ids] : remove) out["delete"][member] = ids;
  // A certificate that the appliance has already is sent without its key, which it keeps.
  for (auto& c : out["put"]["certificates"]) {
    if (c["private_key"] == "") c.erase("private_key");
  }
  return out;
}

Change diff(const Config& there, const Translation& wanted, const std::string& mark, const Refused& refused,
            Lingering& lingering, Lingering::Clock::time_point now) {
  return Differ(there, wanted, mark, refused, lingering, now).run();
}

Change diff_groups(const Config& there, const Translation& wanted, const std::string& mark,
                   const Refused& refused, Lingering& lingering, Lingering::Clock::time_point now,
                   const std::set<std::string>& groups) {
  return Differ(there, wanted, mark, refused, lingering, now).run_groups(groups);
}

void apply(const Change& change, Config& there) {
  apply_kind<config::Rule>(change, there);
  apply_kind<config::Listener>(change, there);
  apply_kind<config::ServerGroup>(change, there);
  apply_kind<config::LoadBalancer>(change, there);
  apply_kind<config::Certificate>(change, there);
  apply_kind<config::AccessControlList>(change, there);
  for (auto& [id, c] : there.certificates) c.private_key.clear();  // As if it had been read.
}

bool holds(const Config& there, const std::string& mark) {
  const auto any = [&](const auto& objects) {
    return std::any_of(objects.begin(), objects.end(), [&](const auto& o) { return o.second.managed_by == mark; });
  };
  return any(there.load_balancers) || any(there.listeners) || any(there.rules) || any(there.server_groups) ||
         any(there.certificates) || any(there.access_control_lists);
}

template <class T>
std::string fingerprint(const T& object) {
  return config::to_json(object, config::Secrets::kShow)
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
template std::string fingerprint(const config::Rule&);
template std::string fingerprint(const config::Listener&);
template std::string fingerprint(const config::ServerGroup&);
template std::string fingerprint(const config::LoadBalancer&);
template std::string fingerprint(const config::Certificate&);
template std::string fingerprint(const config::AccessControlList&);

}  // namespace sluice::mgmt::ingress
