// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/read_cluster.h"

#include <nlohmann/json.hpp>

#include "mgmt/ingress/model/named_appliances.h"
#include "mgmt/ingress/model/read_objects.h"

namespace sluice::mgmt::ingress {
namespace {

template <class T>
void put(std::map<ObjectKey, T>& into, std::optional<T> object, bool namespaced = true) {
  if (!object) return;
  if (namespaced && object->meta.key.ns.empty()) object->meta.key.ns = "default";
  const ObjectKey key = object->meta.key;
  into.insert_or_assign(key, std::move(*object));
}

void put_slice(EndpointSlice slice, Cluster& cluster) {
  if (slice.meta.key.ns.empty()) slice.meta.key.ns = "default";
  const ObjectKey service{slice.meta.key.ns, slice.service};
  const std::string name = slice.meta.key.name;
  cluster.slices[service].insert_or_assign(name, std::move(slice));
}

}  // namespace

void add_object(const nlohmann::json& object, std::int64_t now, Cluster& cluster) {
  if (!object.is_object() || !object.contains("kind") || !object["kind"].is_string()) return;
  const std::string kind = object["kind"];
  if (kind == "List" && object.contains("items") && object["items"].is_array()) {
    for (const auto& item : object["items"]) {
      if (!item.is_object() || item.value("kind", nlohmann::json()) != "List") add_object(item, now, cluster);
    }
  } else if (kind == "Ingress") {
    put(cluster.ingresses, read_ingress(object));
  } else if (kind == "IngressClass") {
    put(cluster.classes, read_ingress_class(object), false);
  } else if (kind == "SluiceConfig") {
    put(cluster.configs, read_sluice_config(object), false);
  } else if (kind == "Service") {
    put(cluster.services, read_service(object));
  } else if (kind == "Secret") {
    put(cluster.secrets, read_secret(object, now));
    if (auto meta = read_meta(object))
      cluster.appliance_secrets[{meta->key.ns.empty() ? "default" : meta->key.ns, meta->key.name}] =
          read_appliance_secret(object);
  } else if (kind == "EndpointSlice") {
    if (auto slice = read_endpoint_slice(object)) put_slice(std::move(*slice), cluster);
  } else if (kind == "Endpoints") {
    for (auto& slice : read_endpoints(object)) put_slice(std::move(slice), cluster);
  }
}

}  // namespace sluice::mgmt::ingress
