// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/resource_kind.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <variant>

#include "dataplane/base/hex.h"
#include "mgmt/rest/certificate_facts.h"

namespace sluice::mgmt::rest {
namespace {

using config::Config;
using config::FieldError;
using nlohmann::json;

template <class T>
ResourceKind make_kind(std::vector<ListFilter> filters) {
  static constexpr auto kMap = config::KindOf<T>::kMap;
  ResourceKind k;
  k.member = config::KindOf<T>::kMember;
  k.path = config::KindOf<T>::kPath;
  k.one = config::KindOf<T>::kOne;
  k.filters = std::move(filters);
  k.ids = [](const Config& c) {
    std::vector<std::string> out;
    for (const auto& [id, value] : c.*kMap) out.push_back(id);
    return out;
  };
  k.exists = [](const Config& c, const std::string& id) { return (c.*kMap).contains(id); };
  k.show = [](const Config& c, const std::string& id, config::Secrets s) {
    return config::to_json((c.*kMap).at(id), s);
  };
  k.put = [](Config& c, const json& document, std::string& id) {
    config::Parsed<T> parsed = config::resource_from_json<T>(document, id);
    if (!parsed.ok()) return parsed.errors;
    id = parsed.value.id;
    (c.*kMap).insert_or_assign(id, std::move(parsed.value));
    return std::vector<FieldError>{};
  };
  k.erase = [](Config& c, const std::string& id) { (c.*kMap).erase(id); };
  k.merge = [](Config& into, Config& from) {
    for (auto& [id, value] : from.*kMap) (into.*kMap).insert_or_assign(id, std::move(value));
  };
  k.manager = [](const Config& c, const std::string& id) {
    const auto found = (c.*kMap).find(id);
    return found == (c.*kMap).end() ? std::string() : found->second.managed_by;
  };
  k.difference = [](const Config& before, const Config& after) {
    ResourceKind::Difference d;
    for (const auto& [id, value] : after.*kMap) {
      const auto old = (before.*kMap).find(id);
      if (old == (before.*kMap).end()) {
        d.created.push_back(id);
      } else if (!(old->second == value)) {
        d.changed.push_back(id);
      }
    }
    for (const auto& [id, value] : before.*kMap) {
      if (!(after.*kMap).contains(id)) d.deleted.push_back(id);
    }
    return d;
  };
  return k;
}

/// In dependency order: each refers only to kinds before it.
std::vector<ResourceKind> make_kinds() {
  std::vector<ResourceKind> kinds;
  kinds.push_back(make_kind<config::AddressPool>({{"scheme", "/scheme"}}));
  kinds.push_back(make_kind<config::AccessControlList>({{"name", "/name"}}));
  kinds.push_back(make_kind<config::Certificate>({}));
  kinds.back().add_status = add_certificate_facts;
  kinds.push_back(make_kind<config::CertificateAuthority>({{"name", "/name"}}));
  kinds.back().add_status = add_authority_facts;
  kinds.push_back(make_kind<config::TlsPolicy>({}));
  kinds.push_back(make_kind<config::ServerGroup>({{"name", "/name"}, {"address", "/members"}}));
  kinds.push_back(
      make_kind<config::LoadBalancer>({{"scheme", "/scheme"}, {"name", "/name"}, {"address", "/addresses"}}));
  kinds.push_back(make_kind<config::Listener>(
      {{"load_balancer", "/load_balancer"},
       {"protocol", "/protocol"},
       {"certificate", "/certificates"},
       {"certificate_authority", "/client_authentication/certificate_authority"},
       {"access_control_list", "/access_control/access_control_lists"},
       {"tls_policy", "/tls_policy"}}));
  kinds.push_back(
      make_kind<config::Rule>({{"listener", "/listener"}, {"server_group", "/action/server_groups"}}));
  return kinds;
}

void action_referrers(const config::Action& action, const std::string& group, const std::string& path,
                      const std::string& who, std::vector<FieldError>& out) {
  const auto* forward = std::get_if<config::ForwardAction>(&action);
  if (forward == nullptr) return;
  for (std::size_t i = 0; i < forward->server_groups.size(); ++i) {
    if (forward->server_groups[i].server_group != group) continue;
    out.push_back({fmt::format("{}/server_groups/{}", path, i), who + " forwards to it"});
  }
}

}  // namespace

std::span<const ResourceKind> resource_kinds() {
  static const std::vector<ResourceKind> kKinds = make_kinds();
  return kKinds;
}

std::vector<KindDifference> differences(const Config& before, const Config& after) {
  std::vector<KindDifference> out;
  for (const ResourceKind& kind : resource_kinds()) {
    auto d = kind.difference(before, after);
    if (!d.created.empty() || !d.changed.empty() || !d.deleted.empty()) out.push_back({&kind, std::move(d)});
  }
  return out;
}

std::vector<FieldError> referrers(const Config& config, std::string_view member, const std::string& id) {
  std::vector<FieldError> out;
  for (const auto& [name, lb] : config.load_balancers) {
    if (member == "address_pools" && lb.address_pool == id)
      out.push_back({"/load_balancers/" + name + "/address_pool",
                     fmt::format("load balancer \"{}\" takes its addresses there", name)});
  }
  for (const auto& [name, group] : config.server_groups) {
    if (!group.tls) continue;
    const std::string path = "/server_groups/" + name + "/tls", who = fmt::format("server group \"{}\"", name);
    if (member == "certificate_authorities" && group.tls->certificate_authority == id)
      out.push_back({path + "/certificate_authority", who + " verifies its members by it"});
    if (member == "certificates" && group.tls->certificate == id)
      out.push_back({path + "/certificate", who + " shows it to its members"});
    if (member == "tls_policies" && group.tls->policy == id) out.push_back({path + "/policy", who + " goes by it"});
  }
  for (const auto& [name, listener] : config.listeners) {
    const std::string path = "/listeners/" + name, who = fmt::format("listener \"{}\"", name);
    if (member == "load_balancers" && listener.load_balancer == id)
      out.push_back({path + "/load_balancer", who + " belongs to it"});
    for (std::size_t i = 0; member == "certificates" && i < listener.certificates.size(); ++i) {
      if (listener.certificates[i].certificate == id)
        out.push_back({fmt::format("{}/certificates/{}", path, i), who + " presents it"});
    }
    if (member == "certificate_authorities" && listener.client_authentication &&
        listener.client_authentication->certificate_authority == id) {
      out.push_back({path + "/client_authentication/certificate_authority", who + " verifies clients by it"});
    }
    if (member == "tls_policies" && listener.tls_policy == id)
      out.push_back({path + "/tls_policy", who + " goes by it"});
    if (member == "access_control_lists" && listener.access_control) {
      const auto& lists = listener.access_control->access_control_lists;
      for (std::size_t i = 0; i < lists.size(); ++i) {
        if (lists[i] == id)
          out.push_back({fmt::format("{}/access_control/access_control_lists/{}", path, i), who + " goes by it"});
      }
    }
    if (member == "server_groups" && listener.default_action) {
      action_referrers(*listener.default_action, id, path + "/default_action", who, out);
    }
  }
  for (const auto& [name, rule] : config.rules) {
    const std::string path = "/rules/" + name, who = fmt::format("rule \"{}\"", name);
    if (member == "listeners" && rule.listener == id)
      out.push_back({path + "/listener", who + " belongs to it"});
    if (member == "server_groups") action_referrers(rule.action, id, path + "/action", who, out);
  }
  return out;
}

json show_public(const ResourceKind& kind, const Config& config, const std::string& id, const Appliance& appliance) {
  json out = kind.show(config, id, config::Secrets::kHide);
  if (kind.add_status) kind.add_status(out, appliance);
  return out;
}

std::string entity_tag(const json& with_secrets) {
  const std::string text = with_secrets.dump(-1, ' ', false, json::error_handler_t::replace);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return '"' + to_hex(std::span(digest).first(16)) + '"';
}

void drop_status(const ResourceKind& kind, json& document) {
  if (kind.add_status && document.is_object()) document.erase("status");
}

}  // namespace sluice::mgmt::rest
