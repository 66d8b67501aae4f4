// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "mgmt/ingress/model/objects.h"

/// Appliances as the parameters of classes name them, and the Secrets that open them.
namespace sluice::mgmt::ingress {

/// "https://HOST" or "https://HOST:PORT" (or http) in the one form by which two can be told apart; empty: it is none.
std::string appliance_url(std::string_view text);

/// "HOST:PORT" of such a URL.
std::string appliance_name(const std::string& url);

/// spec.appliances. Entries that are wrong are left out and named in out.problems.
void read_appliances(const nlohmann::json& spec, SluiceConfig& out);

/// Its `token` and `ca.crt`. Only Secrets that were made for such a purpose are taken: the tokens of service
/// accounts have the same keys, and must not be sent wherever the parameters of a class say.
ApplianceSecret read_appliance_secret(const nlohmann::json& object);

}  // namespace sluice::mgmt::ingress
