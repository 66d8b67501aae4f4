// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/read_objects.h"

#include <nlohmann/json.hpp>

#include "l7/tls/policy.h"
#include "mgmt/config/json.h"
#include "mgmt/config/validate.h"
#include "mgmt/ingress/model/base64.h"
#include "mgmt/ingress/model/certificate_check.h"
#include "mgmt/ingress/model/json_access.h"
#include "mgmt/ingress/model/named_appliances.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

const json& list(const json& object, const char* name) {
  static const json kEmpty = json::array();
  const json& found = member(object, name);
  return found.is_array() ? found : kEmpty;
}

bool truth(const json& object, const char* name, bool otherwise) {
  const json& found = member(object, name);
  return found.is_boolean() ? found.get<bool>() : otherwise;
}

std::uint32_t port_number(const json& object, const char* name) {
  const json& found = member(object, name);
  if (!found.is_number_unsigned() || found.get<std::uint64_t>() > 65535) return 0;
  return found.get<std::uint32_t>();
}

std::vector<std::string> texts(const json& object, const char* name) {
  std::vector<std::string> out;
  for (const json& one : list(object, name)) {
    if (one.is_string()) out.push_back(one);
  }
  return out;
}

Backend read_backend(const json& j) {
  Backend out;
  const json& service = member(j, "service");
  out.service = text(service, "name");
  out.port_name = text(member(service, "port"), "name");
  out.port_number = port_number(member(service, "port"), "number");
  const json& resource = member(j, "resource");
  if (resource.is_object()) out.resource = text(resource, "kind") + "/" + text(resource, "name");
  return out;
}

IngressRule read_rule(const json& j) {
  IngressRule out;
  out.host = text(j, "host");
  for (const json& p : list(member(j, "http"), "paths")) {
    out.paths.push_back({text(p, "path"), text(p, "pathType"), read_backend(member(p, "backend"))});
  }
  return out;
}

/// What a template refers to is the appliance's own; here it only has to look right.
void add_referred(const config::Listener& l, config::Config& alone) {
  if (l7::tls::find_policy(l.tls_policy) == nullptr) alone.tls_policies[l.tls_policy] = {.id = l.tls_policy};
  if (!l.access_control) return;
  for (const std::string& id : l.access_control->access_control_lists) alone.access_control_lists[id] = {.id = id};
}
void add_referred(const config::LoadBalancer& lb, config::Config& alone) {
  if (!lb.address_pool.empty())
    alone.address_pools[lb.address_pool] = {lb.address_pool, lb.scheme, {"198.51.100.1"}, ""};
}
void add_referred(const config::ServerGroup& group, config::Config& alone) {
  if (!group.tls) return;
  if (const auto& id = group.tls->certificate_authority; !id.empty()) alone.certificate_authorities[id] = {id, "", "-", "", ""};
  if (const auto& id = group.tls->certificate; !id.empty()) alone.certificates[id] = {.id = id, .certificate = "-", .private_key = "-"};
}
template <class T>
void add_referred(const T&, config::Config&) {}

/// A fragment of a REST resource as a template. What the controller decides itself may not be in it.
template <class T>
void read_template(const json& fragment, std::initializer_list<const char*> ours, const char* name, T& out,
                   std::vector<std::string>& problems) {
  if (fragment.is_null()) return;
  if (!fragment.is_object()) return problems.push_back(std::string(name) + ": must be an object");
  json document = fragment;
  for (const char* own : ours) {
    if (document.erase(own) != 0)
      problems.push_back(std::string(name) + "." + own + ": is decided by the controller");
  }
  document["id"] = "template";
  if constexpr (std::same_as<T, config::Listener>) document["load_balancer"] = "template";
  auto parsed = config::resource_from_json<T>(document);
  config::Config alone;
  alone.load_balancers["template"] = {.id = "template", .addresses = {"192.0.2.1"}};
  if (parsed.ok()) {
    add_referred(parsed.value, alone);
    (alone.*config::KindOf<T>::kMap)["template"] = parsed.value;
    parsed.errors =
        config::errors_for_resource(config::validate(alone), config::KindOf<T>::kMember, "template");
  }
  for (const auto& e : parsed.errors) problems.push_back(std::string(name) + e.path + ": " + e.message);
  if (parsed.errors.empty()) out = std::move(parsed.value);
}

/// {"type": "allow", "entries": [...]}: one list and what it means. What is wrong in it must not open what was
/// to be closed: then the list is empty, and allows nobody.
void read_access(json fragment, SluiceConfig& out) {
  if (fragment.is_null()) return;
  out.access_type = text(fragment, "type").empty() ? "allow" : text(fragment, "type");
  if (fragment.is_object()) fragment.erase("type");
  const std::size_t before = out.problems.size();
  config::AccessControlList list;
  read_template(fragment, {"managed_by"}, "accessControl", list, out.problems);
  if (out.access_type != "allow" && out.access_type != "deny")
    out.problems.push_back("accessControl.type: must be \"allow\" or \"deny\"");
  if (out.problems.size() != before) {
    out.access_type = "allow";
    list = {};
    out.problems.push_back("accessControl: nobody may connect until it is right");
  }
  out.access_list = std::move(list);
}

}  // namespace

std::optional<Meta> read_meta(const json& object) {
  const json& j = member(object, "metadata");
  Meta out;
  out.key = {text(j, "namespace"), text(j, "name")};
  if (out.key.name.empty()) return std::nullopt;
  out.uid = text(j, "uid");
  out.resource_version = text(j, "resourceVersion");
  out.created = text(j, "creationTimestamp");
  out.deleting = !member(j, "deletionTimestamp").is_null();
  if (const json& annotations = member(j, "annotations"); annotations.is_object()) {
    for (const auto& [key, value] : annotations.items()) {
      // kubectl's copy of the whole object is the largest part of most.
      if (value.is_string() && key != "kubectl.kubernetes.io/last-applied-configuration")
        out.annotations[key] = value;
    }
  }
  out.finalizers = texts(j, "finalizers");
  return out;
}

std::optional<Ingress> read_ingress(const json& object) {
  auto meta = read_meta(object);
  if (!meta) return std::nullopt;
  Ingress out;
  out.meta = std::move(*meta);
  const json& spec = member(object, "spec");
  if (const json& name = member(spec, "ingressClassName"); name.is_string()) out.class_name = name;
  if (const json& backend = member(spec, "defaultBackend"); backend.is_object())
    out.default_backend = read_backend(backend);
  for (const json& rule : list(spec, "rules")) out.rules.push_back(read_rule(rule));
  for (const json& tls : list(spec, "tls")) out.tls.push_back({texts(tls, "hosts"), text(tls, "secretName")});
  for (const json& one : list(member(member(object, "status"), "loadBalancer"), "ingress")) {
    out.addresses.push_back(text(one, "ip"));
  }
  return out;
}

std::optional<IngressClass> read_ingress_class(const json& object) {
  auto meta = read_meta(object);
  if (!meta) return std::nullopt;
  IngressClass out;
  out.meta = std::move(*meta);
  const json& spec = member(object, "spec");
  out.controller = text(spec, "controller");
  if (const json& p = member(spec, "parameters"); p.is_object()) {
    out.parameters_kind = text(p, "apiGroup") + "/" + text(p, "kind");
    // 1.20 knows cluster scope only, and no member `namespace`.
    out.parameters = {text(p, "scope") == "Namespace" ? text(p, "namespace") : "", text(p, "name")};
  }
  return out;
}

std::optional<SluiceConfig> read_sluice_config(const json& object) {
  auto meta = read_meta(object);
  if (!meta) return std::nullopt;
  SluiceConfig out;
  out.meta = std::move(*meta);
  const json& spec = member(object, "spec");
  json lb = member(spec, "loadBalancer");
  if (lb.is_object()) {
    out.load_balancer_id = text(lb, "id");
    lb.erase("id");
  }
  read_template(lb, {"managed_by"}, "loadBalancer", out.load_balancer, out.problems);
  read_template(
      member(spec, "listener"),
      {"load_balancer", "port", "protocol", "certificates", "default_action", "rule_order", "managed_by"},
      "listener", out.listener, out.problems);
  read_template(member(spec, "serverGroup"), {"members", "managed_by"}, "serverGroup", out.server_group,
                out.problems);
  read_access(member(spec, "accessControl"), out);
  read_appliances(spec, out);
  out.force_override = truth(spec, "forceOverrideListeners", false);
  out.preserve_on_delete = truth(spec, "preserveOnDelete", false);
  return out;
}

std::optional<Service> read_service(const json& object) {
  auto meta = read_meta(object);
  if (!meta) return std::nullopt;
  Service out;
  out.meta = std::move(*meta);
  const json& spec = member(object, "spec");
  out.type = text(spec, "type");
  out.external_name = text(spec, "externalName");
  for (const json& p : list(spec, "ports")) {
    const std::string protocol = text(p, "protocol");
    if (protocol.empty() || protocol == "TCP") out.ports.push_back({text(p, "name"), port_number(p, "port")});
  }
  const auto families = texts(spec, "ipFamilies");
  out.primary_family = !families.empty() ? families.front() : text(spec, "ipFamily");
  return out;
}

std::optional<EndpointSlice> read_endpoint_slice(const json& object) {
  auto meta = read_meta(object);
  if (!meta) return std::nullopt;
  EndpointSlice out;
  out.meta = std::move(*meta);
  out.service = text(member(member(object, "metadata"), "labels"), "kubernetes.io/service-name");
  out.address_type = text(object, "addressType");
  for (const json& p : list(object, "ports")) {
    const std::string protocol = text(p, "protocol");
    if (protocol.empty() || protocol == "TCP") out.ports.push_back({text(p, "name"), port_number(p, "port")});
  }
  for (const json& e : list(object, "endpoints")) {
    const json& conditions = member(e, "conditions");
    EndpointSlice::Endpoint one;
    one.addresses = texts(e, "addresses");
    one.ready = truth(conditions, "ready", true);  // nil is "unknown", to be taken as ready
    one.serving = truth(conditions, "serving", one.ready);
    one.terminating = truth(conditions, "terminating", false);
    out.endpoints.push_back(std::move(one));
  }
  return out;
}

std::vector<EndpointSlice> read_endpoints(const json& object) {
  std::vector<EndpointSlice> out;
  const auto meta = read_meta(object);
  if (!meta) return out;
  for (const json& subset : list(object, "subsets")) {
    std::map<std::string, EndpointSlice> by_family;
    for (const bool ready : {true, false}) {
      for (const json& address : list(subset, ready ? "addresses" : "notReadyAddresses")) {
        const std::string ip = text(address, "ip");
        EndpointSlice& slice = by_family[ip.find(':') == ip.npos ? "IPv4" : "IPv6"];
        slice.endpoints.push_back({{ip}, ready, ready, false});
      }
    }
    for (auto& [family, slice] : by_family) {
      slice.meta.key = {meta->key.ns, meta->key.name + "-" + std::to_string(out.size())};
      slice.service = meta->key.name;
      slice.address_type = family;
      for (const json& p : list(subset, "ports"))
        slice.ports.push_back({text(p, "name"), port_number(p, "port")});
      out.push_back(std::move(slice));
    }
  }
  return out;
}

std::optional<Secret> read_secret(const json& object, std::int64_t now) {
  auto meta = read_meta(object);
  if (!meta) return std::nullopt;
  Secret out;
  out.meta = std::move(*meta);
  const json& data = member(object, "data");
  const json& crt = member(data, "tls.crt");
  const json& key = member(data, "tls.key");
  if (!crt.is_string() || !key.is_string()) {
    out.problem = "it has no tls.crt or no tls.key";
    return out;
  }
  const auto chain = base64_decode(crt.get_ref<const std::string&>());
  const auto private_key = base64_decode(key.get_ref<const std::string&>());
  if (!chain || !private_key) {
    out.problem = "tls.crt or tls.key is no base64";
    return out;
  }
  const CertificateFacts facts = check_certificate(*chain, *private_key, now);
  out.problem = facts.problem;
  out.expired = facts.expired;
  out.names = facts.names;
  if (out.problem.empty()) {
    out.certificate = *chain;
    out.private_key = *private_key;
  }
  return out;
}

}  // namespace sluice::mgmt::ingress
