// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/backends.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "dataplane/base/ip.h"
#include "mgmt/config/address_range.h"
#include "mgmt/config/json.h"
#include "mgmt/config/bounds.h"
#include "mgmt/config/names.h"
#include "mgmt/ingress/model/external_name.h"
#include "mgmt/ingress/model/ids.h"

namespace sluice::mgmt::ingress {
namespace {

using config::kMaxMembers;
// What may be wrong with members.
constexpr const char *kTooManyEndpoints = "TooManyEndpoints", *kInvalidEndpoint = "InvalidEndpoint";

const Service::Port* find_port(const Service& service, const Backend& backend) {
  const auto it = std::find_if(service.ports.begin(), service.ports.end(), [&](const Service::Port& p) {
    return backend.port_name.empty() ? p.number == backend.port_number : p.name == backend.port_name;
  });
  return it == service.ports.end() ? nullptr : &*it;
}

/// What a group is named by besides its Service. A member of later days counts where it is used only, so that it renames no
/// group that is there already.
std::string settings_text(const config::ServerGroup& settings) {
  nlohmann::json out = config::to_json(settings);
  if (settings.protocol == "http") out.erase("protocol");
  return out.dump();
}

std::string port_text(const Backend& b) {
  return b.port_name.empty() ? std::to_string(b.port_number) : b.port_name;
}

/// Which requests an endpoint gets.
enum class Use { kNone, kDraining, kAll };

Use use_of(const EndpointSlice::Endpoint& e) {
  if (e.ready)
    return Use::kAll;  // Also one that terminates, when its Service publishes addresses that are not ready.
  return e.serving && e.terminating ? Use::kDraining : Use::kNone;
}

using Found = std::map<Endpoint, Use>;

/// Members of one address family, by address and port; where slices disagree, the better use.
Found find_members(const std::map<std::string, EndpointSlice>& slices, const std::string& family,
                   const Service::Port& port, std::size_t& refused) {
  Found out;
  for (const auto& [name, slice] : slices) {
    if (slice.address_type != family) continue;
    for (const auto& slice_port : slice.ports) {
      // Slices name their ports as the Service does; the number is that of the pods, which may differ from
      // slice to slice.
      if (slice_port.name != port.name) continue;
      const std::uint32_t number = slice_port.number != 0 ? slice_port.number : port.number;
      for (const auto& e : slice.endpoints) {
        const Use use = use_of(e);
        if (use == Use::kNone) continue;
        for (const std::string& text : e.addresses) {
          const auto address = IpAddr::parse(text);
          if (!address || !config::is_unicast(*address) || number == 0) {
            ++refused;
            continue;
          }
          Use& at = out.try_emplace({*address, static_cast<std::uint16_t>(number)}, use).first->second;
          at = std::max(at, use);
        }
      }
    }
  }
  return out;
}

}  // namespace

void Backends::add_members(const Cluster& cluster, const ObjectKey& ingress, const Service& service,
                           const Service::Port& port, const std::string& family, config::ServerGroup& group,
                           Notices& notices) {
  const auto slices = cluster.slices.find(service.meta.key);
  if (slices == cluster.slices.end()) return;
  std::size_t refused = 0;
  const std::string first = !family.empty() && family != "dual" ? family
                            : service.primary_family == "IPv6"  ? "IPv6"
                                                                : "IPv4";
  Found found = find_members(slices->second, first, port, refused);
  // A pod of a dual-stack Service is in both families' slices: taken twice, it would get twice its share.
  if (family == "dual" || (family.empty() && found.empty()))
    found.merge(find_members(slices->second, first == "IPv4" ? "IPv6" : "IPv4", port, refused));

  const bool any_ready =
      std::any_of(found.begin(), found.end(), [](const auto& m) { return m.second == Use::kAll; });
  for (const auto& [endpoint, use] : found) {
    if (group.members.size() == kMaxMembers) {
      notices.warn(ingress, kTooManyEndpoints,
                   "Service " + service.meta.key.name + " has more than " + std::to_string(kMaxMembers) +
                       " endpoints; the others are left out.");
      break;
    }
    // With nobody ready, those that end but still serve are better than a 503.
    group.members.push_back({.id = endpoint.to_string(),
                             .address = endpoint.address.to_string(),
                             .port = endpoint.port,
                             .drain = any_ready && use == Use::kDraining});
  }
  if (refused != 0) {
    notices.warn(ingress, kInvalidEndpoint,
                 "Service " + service.meta.key.name + ": " + std::to_string(refused) +
                     " addresses are no unicast addresses with a port, and are left out.");
  }
}

std::optional<std::map<std::string, std::vector<config::Member>>> Backends::members_now(
    const Cluster& cluster, const ObjectKey& service, const Translation& before) {
  std::map<std::string, std::vector<config::Member>> out;
  const auto sources = before.member_sources.find(service);
  if (sources == before.member_sources.end()) return out;  // No Ingress asks for it.
  const auto there = cluster.services.find(service);
  if (there == cluster.services.end()) return std::nullopt;
  Notices notices;
  for (const auto& [id, source] : sources->second) {
    const bool was_wrong =
        std::any_of(before.notices.begin(), before.notices.end(), [&, at = &source](const Notice& n) {
          return n.object == at->ingress && (n.reason == kTooManyEndpoints || n.reason == kInvalidEndpoint);
        });
    const Service::Port* port = find_port(there->second, source.backend);
    if (was_wrong || port == nullptr) return std::nullopt;
    config::ServerGroup group;
    add_members(cluster, source.ingress, there->second, *port, source.family, group, notices);
    out[id] = std::move(group.members);
  }
  if (!notices.take().empty()) return std::nullopt;
  return out;
}

void Backends::follow_name(const Ingress& ingress, const Service& service, const Backend& backend,
                           config::ServerGroup& group) {
  const auto refuse = [&](const char* reason, const std::string& why) {
    notices_.warn(ingress.meta.key, reason,
                  "Service " + service.meta.key.name + " leads to \"" + service.external_name.substr(0, 253) +
                      "\", " + why);
  };
  // Such a Service need not list its ports.
  const Service::Port* port = find_port(service, backend);
  const std::uint32_t number = port != nullptr ? port->number : service.ports.empty() ? backend.port_number : 0;
  if (number == 0)
    return refuse("ServicePortNotFound", "and has no TCP port " + port_text(backend) + "; its requests are answered 503.");
  const std::string name = usable_external_name(service.external_name);
  if (name.empty())
    return refuse("ExternalNameRefused", "which is not followed; its requests are answered 503.");
  out_.names.insert(name);
  const auto known = names_.find(name);
  if (known == names_.end()) return keep_members(group);
  if (known->second.empty())
    return refuse("ExternalNameNotFound", "which has no address; its requests are answered 503.");
  std::size_t refused = 0;
  std::set<IpAddr> addresses;
  for (const std::string& text : known->second) {
    const auto address = IpAddr::parse(text);
    if (address && usable_external_address(*address)) {
      addresses.insert(*address);
    } else {
      ++refused;
    }
  }
  for (const IpAddr& address : addresses) {
    if (group.members.size() == kMaxMembers) break;
    const Endpoint at{address, static_cast<std::uint16_t>(number)};
    group.members.push_back({.id = at.to_string(), .address = address.to_string(), .port = number});
  }
  if (refused != 0)
    refuse("ExternalNameRefused", "of whose addresses " + std::to_string(refused) +
                                      " are the appliance's own, of its link or reserved, and are left out.");
}

/// What an appliance has already, until the name is known.
void Backends::keep_members(config::ServerGroup& group) const {
  for (const config::Config* c : appliances_) {
    const auto there = c->server_groups.find(group.id);
    if (there == c->server_groups.end() || there->second.managed_by != group.managed_by) continue;
    for (const config::Member& m : there->second.members) {
      if (!m.drain) group.members.push_back(m);
    }
    return;
  }
}

std::string Backends::group_for(const Ingress& ingress, const Backend& backend,
                                const IngressSettings& settings) {
  const std::string& ns = ingress.meta.key.ns;
  const std::string port = port_text(backend);
  std::string id = make_id({options_.cluster, ns, backend.service, port});
  static const config::ServerGroup kDefault;
  if (settings.server_group != kDefault || !settings.backend_family.empty() || settings.drain_s) {
    const std::string drain = settings.drain_s ? "\n" + std::to_string(*settings.drain_s) : "";
    id += "_" + short_hash(settings_text(settings.server_group) + settings.backend_family + drain);
  }
  if (settings.drain_s) out_.drain_s[id] = *settings.drain_s;
  const auto service = cluster_.services.find({ns, backend.service});
  const Service::Port* service_port = nullptr;
  bool follow = false;  // Its name has the addresses, whatever slices say.
  // Each Ingress gets its own notice, also when another has made the group.
  if (service == cluster_.services.end()) {
    notices_.warn(ingress.meta.key, "ServiceNotFound",
                  "Service " + backend.service + " does not exist; its requests are answered 503.");
  } else if (service->second.type == "ExternalName") {
    follow = options_.external_names;
    if (!follow)
      notices_.warn(ingress.meta.key, "ExternalNameRefused",
                    "Service " + backend.service +
                        " is an ExternalName, which is not followed; its requests are answered 503.");
  } else if (service_port = find_port(service->second, backend); service_port == nullptr) {
    notices_.warn(
        ingress.meta.key, "ServicePortNotFound",
        "Service " + backend.service + " has no TCP port " + port + "; its requests are answered 503.");
  }
  const auto [entry, fresh] = out_.model.server_groups.try_emplace(id, settings.server_group);
  if (!fresh) return id;
  config::ServerGroup& group = entry->second;
  group.id = id;
  group.name = ns + "/" + backend.service + ":" + port;
  if (group.name.size() > 512 || config::has_control_characters(group.name)) group.name.clear();
  group.managed_by = options_.mark();
  if (service_port != nullptr) {
    out_.member_sources[service->first][id] = {ingress.meta.key, backend, settings.backend_family};
    add_members(cluster_, ingress.meta.key, service->second, *service_port, settings.backend_family, group,
                notices_);
  }
  if (follow) follow_name(ingress, service->second, backend, group);
  return id;
}

}  // namespace sluice::mgmt::ingress
