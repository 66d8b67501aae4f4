// SPDX-License-Identifier: Apache-2.0
#include "mgmt/compile/compile.h"

#include <algorithm>
#include <unordered_set>

#include "dataplane/base/ascii.h"
#include "l7/tls/policy_names.h"
#include "mgmt/compile/parts.h"
#include "mgmt/config/json.h"
#include "mgmt/config/performance_class.h"
#include "mgmt/config/tls_policy.h"

namespace sluice::mgmt::compile {
namespace {

using config::ErrorList;
using config::KindOf;
using config::Pointer;

/// What `map` has for `id`, as a pointer; null: nothing.
template <class Map>
const typename Map::mapped_type* find(const Map& map, const typename Map::key_type& id) {
  const auto at = map.find(id);
  return at == map.end() ? nullptr : &at->second;
}

/// "paths[0].value" -> "/paths/0/value".
std::string pointer_of(std::string_view field) {
  std::string out = "/";
  for (const char c : field) {
    if (c == '[' || c == '.') {
      out += '/';
    } else if (c != ']') {
      out += c;
    }
  }
  return out;
}

/// One run over the configuration, in the order in which the parts need one another.
class Compilation {
 public:
  Compilation(const Input& input, Slots& slots)
      : input_(input),
        config_(*input.config),
        before_(input.previous != nullptr ? *input.previous : kNothing),
        before_config_(before_.config ? *before_.config : kEmpty),
        slots_(slots) {}

  Output run() {
    program_->config = input_.config;
    compile_certificates();
    compile_authorities();
    compile_tls_policies();
    compile_groups();
    compile_load_balancers();
    if (errors_.empty()) {
      compile_rules();
      compile_listeners();
    }
    if (!errors_.empty()) return {nullptr, errors_.take()};
    return {program_, {}};
  }

 private:
  void compile_groups() {
    const Pointer kind_at = root_ / KindOf<config::ServerGroup>::kMember;
    for (const auto& [id, model] : config_.server_groups) {
      const auto* before = find(before_.groups, id);
      const auto* before_model = find(before_config_.server_groups, id);
      auto tls = backend_tls_of(model, before != nullptr ? before->get() : nullptr);
      if (before != nullptr && before_model != nullptr && *before_model == model && (*before)->tls == tls) {
        program_->groups.emplace_hint(program_->groups.end(), id, *before);
        continue;
      }
      auto group =
          make_group(model, std::move(tls), before != nullptr ? before->get() : nullptr, slots_, kind_at / id, errors_);
      if (group) program_->groups.emplace_hint(program_->groups.end(), id, std::move(group));
    }
    program_->group_slots = slots_.groups.high_water();
    program_->backends.resize(slots_.backends.high_water());
    for (const auto& [id, group] : program_->groups) {
      for (std::size_t i = 0; i < group->members.size(); ++i) {
        program_->backends[group->members[i].slot.value] = {group.get(), i};
      }
    }
  }

  /// The same pointer as before when nothing changed, so that open connections go on.
  std::shared_ptr<const l7::tls::BackendTls> backend_tls_of(const config::ServerGroup& model, const l7::ServerGroup* before) {
    if (model.protocol != "https") return nullptr;
    const config::BackendTls tls = model.tls.value_or(config::BackendTls());
    auto context = backend_context_of(model.id, tls);
    std::string name = ascii_lower(tls.server_name);
    if (before != nullptr && before->tls != nullptr && before->tls->context == context && before->tls->server_name == name)
      return before->tls;
    return std::make_shared<const l7::tls::BackendTls>(l7::tls::BackendTls{std::move(context), std::move(name)});
  }

  std::shared_ptr<const l7::tls::BackendContext> backend_context_of(const std::string& group, const config::BackendTls& tls) {
    const auto* authorities = tls.verify ? find(program_->authorities, tls.certificate_authority) : nullptr;
    const auto* certificate = find(program_->certificates, tls.certificate);
    const BackendParts parts{tls.verify, authorities == nullptr ? nullptr : *authorities,
                             certificate == nullptr ? nullptr : *certificate, config::tls_policy_of(tls, config_).policy,
                             static_cast<int>(tls.verify_depth)};
    auto& context = program_->backend_contexts[parts];
    if (context != nullptr) return context;
    if (const auto* before = find(before_.backend_contexts, parts)) return context = *before;
    if (!errors_.empty()) return nullptr;  // What it would be made of is wrong already.
    auto made = l7::tls::BackendContext::create({parts.verify, parts.authorities, parts.certificate, parts.policy, parts.depth}, input_.workers);
    if (made) return context = std::move(made).value();
    const Pointer kind_at = root_ / KindOf<config::ServerGroup>::kMember, at = kind_at / group, tls_at = at / "tls";
    const std::string& why = made.error().message;
    const char* wrong = why.starts_with("authorities") ? "certificate_authority"
                        : why.starts_with("certificate") ? "certificate"
                                                         : "policy";
    errors_.add(tls_at / wrong, why);
    return nullptr;
  }

  /// As long as it exists it keeps its slot.
  std::optional<l7::MeterSlot> meter_of(const l7::Metered* before, const Pointer& at, const char* what) {
    if (before != nullptr) return before->slot;
    if (const auto slot = slots_.meters.take()) return l7::MeterSlot{*slot};
    errors_.add(at, std::string("is one ") + what + " too many");
    return std::nullopt;
  }

  void compile_load_balancers() {
    const Pointer kind_at = root_ / KindOf<config::LoadBalancer>::kMember;
    for (const auto& [id, model] : config_.load_balancers) {
      const auto slot = meter_of(find(before_.load_balancers, id), kind_at / id, "load balancer");
      if (slot) program_->load_balancers[id] = {*slot, make_limits(config::limits_of(model))};
    }
  }

  void compile_certificates() {
    const Pointer kind_at = root_ / KindOf<config::Certificate>::kMember;
    for (const auto& [id, model] : config_.certificates) {
      const auto* before = find(before_.certificates, id);
      const auto* before_model = find(before_config_.certificates, id);
      if (before != nullptr && before_model != nullptr && before_model->certificate == model.certificate &&
          before_model->private_key == model.private_key) {
        program_->certificates.emplace(id, *before);
        continue;
      }
      auto parsed = l7::tls::Certificate::parse(model.certificate, model.private_key);
      if (parsed) {
        program_->certificates.emplace(id, std::move(parsed).value());
      } else {
        const Pointer at = kind_at / id;
        const std::string& why = parsed.error().message;
        errors_.add(at / (why.starts_with("certificate") ? "certificate" : "private_key"), why);
      }
    }
  }

  void compile_authorities() {
    const Pointer kind_at = root_ / KindOf<config::CertificateAuthority>::kMember;
    for (const auto& [id, model] : config_.certificate_authorities) {
      const auto* before = find(before_.authorities, id);
      const auto* before_model = find(before_config_.certificate_authorities, id);
      if (before != nullptr && before_model != nullptr && before_model->certificates == model.certificates &&
          before_model->revocation_lists == model.revocation_lists) {
        program_->authorities.emplace(id, *before);
        continue;
      }
      auto parsed = l7::tls::TrustStore::parse(model.certificates, model.revocation_lists);
      if (parsed) {
        program_->authorities.emplace(id, std::move(parsed).value());
      } else {
        const Pointer at = kind_at / id;
        const std::string& why = parsed.error().message;
        errors_.add(at / (why.starts_with("revocation_lists") ? "revocation_lists" : "certificates"), why);
      }
    }
  }

  /// Whether OpenSSL can do what they name. Looked at when a policy changes; contexts of listeners are made from it later.
  void compile_tls_policies() {
    using l7::tls::PolicyList;
    const Pointer kind_at = root_ / KindOf<config::TlsPolicy>::kMember;
    for (const auto& [id, model] : config_.tls_policies) {
      const auto* before_model = find(before_config_.tls_policies, id);
      if (before_model != nullptr && *before_model == model) continue;
      const Pointer at = kind_at / id;
      check_names(at / "cipher_suites_tls12", PolicyList::kCiphers, model.cipher_suites_tls12);
      check_names(at / "cipher_suites_tls13", PolicyList::kCiphersuites, model.cipher_suites_tls13);
      check_names(at / "groups", PolicyList::kGroups, model.groups);
      check_names(at / "signature_algorithms", PolicyList::kSignatureAlgorithms, model.signature_algorithms);
    }
  }

  void check_names(const Pointer& at, l7::tls::PolicyList list, const std::vector<std::string>& names) {
    std::string all;
    bool usable = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string why = l7::tls::unusable(list, names[i]);
      if (!why.empty()) errors_.add(at / i, why);
      usable &= why.empty();
      all += (i > 0 ? ":" : "") + names[i];
    }
    if (!usable || names.empty()) return;
    if (const std::string why = l7::tls::unusable_together(list, all); !why.empty()) errors_.add(at, why);
  }

  std::uint64_t age_of(const std::string& id, const std::shared_ptr<const l7::Rule>* before) {
    if (before != nullptr) return (*before)->age;
    if (input_.stored_ages != nullptr) {
      if (const auto* stored = find(*input_.stored_ages, id)) return *stored;
    }
    return program_->next_rule_age++;
  }

  void compile_rules() {
    program_->next_rule_age = before_.next_rule_age;
    if (input_.stored_ages != nullptr) {
      for (const auto& [id, age] : *input_.stored_ages) {
        program_->next_rule_age = std::max(program_->next_rule_age, age + 1);
      }
    }
    for (const auto& [id, model] : config_.rules) {
      const auto* before = find(before_.rules, id);
      const auto* before_model = find(before_config_.rules, id);
      // Groups keep their slot as long as they exist, so an equal rule is an equal compiled rule.
      const bool same = before != nullptr && before_model != nullptr && *before_model == model;
      auto rule = same ? *before : make_rule(model, age_of(id, before), *program_);
      program_->listeners[model.listener].rules.push_back(rule);
      program_->rules.emplace_hint(program_->rules.end(), id, std::move(rule));
    }
  }

  void compile_listeners() {
    for (const auto& [id, model] : config_.listeners) {
      const auto* before = find(before_.listeners, id);
      const auto* before_model = find(before_config_.listeners, id);
      ListenerParts& parts = program_->listeners[id];
      for (const config::CertificateRef& ref : model.certificates) {
        parts.certificates.push_back(program_->certificates.at(ref.certificate));
      }
      if (model.client_authentication && model.client_authentication->mode != "off")
        parts.authorities = program_->authorities.at(model.client_authentication->certificate_authority);
      auto router = router_of(model, parts, before, before_model);
      auto tls = tls_of(model, parts, before, before_model);
      auto sources = sources_of(model, before, before_model);
      const l7::Metered& balancer = program_->load_balancers.at(model.load_balancer);
      if (before != nullptr && before_model != nullptr && *before_model == model &&
          before->listener->router == router && before->listener->tls == tls &&
          before->listener->sources == sources && before->listener->balancer == balancer) {
        parts.listener = before->listener;
        continue;
      }
      auto listener = std::make_shared<l7::Listener>(make_listener(model, *program_));
      listener->router = std::move(router);
      listener->tls = std::move(tls);
      listener->sources = std::move(sources);
      listener->balancer = balancer;
      meter(model, before, *listener);
      parts.listener = std::move(listener);
    }
  }

  std::shared_ptr<const l7::route::Router> router_of(const config::Listener& model,
                                                     const ListenerParts& parts, const ListenerParts* before,
                                                     const config::Listener* before_model) {
    const bool known = before != nullptr && before_model != nullptr;
    if (known && before->rules == parts.rules && before_model->rule_order == model.rule_order) {
      return before->listener->router;
    }
    const auto order =
        model.rule_order == "priority" ? l7::route::Order::kPriority : l7::route::Order::kSpecific;
    std::vector<l7::route::RuleError> wrong;
    auto router = l7::route::Router::compile(parts.rules, order,
                                             known ? before->listener->router.get() : nullptr, wrong);
    const Pointer kind_at = root_ / KindOf<config::Rule>::kMember;
    for (const l7::route::RuleError& e : wrong) {
      errors_.add((kind_at / e.rule_id).to_string() + pointer_of(e.field), e.message);
    }
    return router;
  }

  std::shared_ptr<const l7::tls::ServerContext> tls_of(const config::Listener& model,
                                                       const ListenerParts& parts,
                                                       const ListenerParts* before,
                                                       const config::Listener* before_model) {
    if (model.protocol != "https") return nullptr;
    const l7::tls::Policy policy = config::tls_policy_of(model, config_).policy;
    if (before != nullptr && before_model != nullptr && before->listener->tls != nullptr &&
        before->certificates == parts.certificates && before_model->certificates == model.certificates &&
        before->authorities == parts.authorities &&
        config::tls_policy_of(*before_model, before_config_).policy == policy &&
        before_model->client_authentication == model.client_authentication &&
        before_model->early_data == model.early_data) {
      return before->listener->tls;
    }
    l7::tls::ServerConfig server;
    for (std::size_t i = 0; i < parts.certificates.size(); ++i) {
      server.certificates.emplace_back(parts.certificates[i], model.certificates[i].hosts);
    }
    if (!parts.certificates.empty()) server.default_certificate = parts.certificates.front();
    server.policy = policy;
    if (parts.authorities != nullptr)
      server.clients = make_client_authentication(*model.client_authentication, parts.authorities);
    server.early_data = model.early_data;
    auto context = l7::tls::ServerContext::create(server, input_.workers);
    if (context) return std::move(context).value();
    const Pointer kind_at = root_ / KindOf<config::Listener>::kMember, at = kind_at / model.id;
    errors_.add(at / "certificates", context.error().message);
    return nullptr;
  }

  void meter(const config::Listener& model, const ListenerParts* before, l7::Listener& listener) {
    const Pointer kind_at = root_ / KindOf<config::Listener>::kMember;
    const auto slot = meter_of(before == nullptr ? nullptr : &before->listener->own, kind_at / model.id, "listener");
    if (!slot) return;
    listener.own = {*slot, make_limits(model.limits)};
    if (model.limits.connections_per_second_per_source == 0) return;
    if (before != nullptr) listener.source_rates = before->listener->source_rates;
    if (listener.source_rates == nullptr) listener.source_rates = std::make_shared<l7::limits::SourceRates>();
  }

  std::shared_ptr<const l7::SourceFilter> sources_of(const config::Listener& model, const ListenerParts* before,
                                                     const config::Listener* before_model) {
    if (!model.access_control) return nullptr;
    const auto& lists = model.access_control->access_control_lists;
    const auto same = [&](const std::string& id) {
      const auto* then = find(before_config_.access_control_lists, id);
      return then != nullptr && then->entries == config_.access_control_lists.at(id).entries;
    };
    if (before != nullptr && before_model != nullptr && before_model->access_control == model.access_control &&
        std::all_of(lists.begin(), lists.end(), same)) {
      return before->listener->sources;
    }
    return make_source_filter(*model.access_control, config_);
  }

  inline static const Program kNothing;
  inline static const config::Config kEmpty;

  const Input& input_;
  const config::Config& config_;
  const Program& before_;
  const config::Config& before_config_;
  Slots& slots_;
  const Pointer root_;
  ErrorList errors_;
  std::shared_ptr<Program> program_ = std::make_shared<Program>();
};

}  // namespace

Output compile(const Input& input, Slots& slots) { return Compilation(input, slots).run(); }

std::unique_ptr<const l7::Snapshot> make_snapshot(const Program& program, std::uint64_t revision,
                                                  std::shared_ptr<const l7::tls::TicketKeys> tickets,
                                                  std::shared_ptr<const l7::tls::Staples> staples) {
  auto out = std::make_unique<l7::Snapshot>();
  out->revision = revision;
  out->ticket_keys = std::move(tickets);
  out->staples = std::move(staples);
  std::map<std::string_view, std::vector<IpAddr>> addresses;
  for (const auto& [id, lb] : program.config->load_balancers) {
    for (const std::string& text : lb.addresses) {
      const auto address = IpAddr::parse(text);
      if (!address) continue;  // validate() lets none pass.
      addresses[id].push_back(*address);
      out->vips.addresses.push_back(*address);
    }
  }
  std::sort(out->vips.addresses.begin(), out->vips.addresses.end());
  for (const auto& [id, model] : program.config->listeners) {
    const auto& listener = program.listeners.at(id).listener;
    for (const IpAddr& a : addresses[model.load_balancer]) out->listeners[{a, listener->port}] = listener;
  }
  out->groups.resize(program.group_slots);
  for (const auto& [id, group] : program.groups) out->groups[group->slot.value] = group;
  return out;
}

SlotDifference slots_only_in(const Program& a, const Program& b) {
  const auto names_backend = [](const Program& p, BackendSlot slot) {
    return slot.value < p.backends.size() && p.backends[slot.value].group != nullptr;
  };
  std::unordered_set<std::uint32_t> groups, meters;
  for (const auto& [id, group] : b.groups) groups.insert(group->slot.value);
  SlotDifference out;
  for (const auto& [id, group] : a.groups) {
    if (!groups.contains(group->slot.value)) out.groups.push_back(group->slot);
    for (const l7::Member& m : group->members) {
      if (!names_backend(b, m.slot)) out.backends.push_back(m.slot);
    }
  }
  for (const auto& [id, lb] : b.load_balancers) meters.insert(lb.slot.value);
  for (const auto& [id, parts] : b.listeners) meters.insert(parts.listener->own.slot.value);
  const auto gone = [&](l7::MeterSlot s) {
    if (!meters.contains(s.value)) out.meters.push_back(s);
  };
  for (const auto& [id, lb] : a.load_balancers) gone(lb.slot);
  for (const auto& [id, parts] : a.listeners) gone(parts.listener->own.slot);
  return out;
}

}  // namespace sluice::mgmt::compile
