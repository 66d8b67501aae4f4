// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "mgmt/ingress/model/objects.h"

/// JSON of the API server to values. Members of a wrong type count as absent: what follows from that is
/// judged by translate(). Nothing throws; none: the object has no name.
namespace sluice::mgmt::ingress {

std::optional<Meta> read_meta(const nlohmann::json& object);
std::optional<Ingress> read_ingress(const nlohmann::json& object);
std::optional<IngressClass> read_ingress_class(const nlohmann::json& object);
std::optional<SluiceConfig> read_sluice_config(const nlohmann::json& object);
std::optional<Service> read_service(const nlohmann::json& object);
/// discovery.k8s.io/v1 and v1beta1.
std::optional<EndpointSlice> read_endpoint_slice(const nlohmann::json& object);
/// An Endpoints object of core/v1 as slices, one a subset and address family, named after the object.
std::vector<EndpointSlice> read_endpoints(const nlohmann::json& object);
/// Decodes and checks certificate and key. `now`: Unix seconds.
std::optional<Secret> read_secret(const nlohmann::json& object, std::int64_t now);

}  // namespace sluice::mgmt::ingress
