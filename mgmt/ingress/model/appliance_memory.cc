// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/appliance_memory.h"

#include <nlohmann/json.hpp>

#include "mgmt/config/names.h"
#include "mgmt/ingress/model/json_access.h"
#include "mgmt/ingress/model/named_appliances.h"

namespace sluice::mgmt::ingress {
namespace {

constexpr std::size_t kMaxText = 200 * 1024;

}  // namespace

std::string text_of(const ApplianceMemory& memory) {
  if (memory.empty()) return {};
  nlohmann::json out = nlohmann::json::object();
  std::size_t size = 0;
  for (const auto& [url, secret] : memory) {
    const std::string key = secret.text();
    size += url.size() + key.size() + 6;  // Quotes, colon, comma.
    if (size > kMaxText) break;
    out[url] = key;
  }
  return out.dump();
}

ApplianceMemory read_memory(const std::string& given) {
  const nlohmann::json document = nlohmann::json::parse(given, nullptr, false);
  ApplianceMemory out;
  if (!document.is_object()) return out;
  for (const auto& [url, value] : document.items()) {
    const std::string key = text(value);
    const std::size_t slash = std::min(key.find('/'), key.size());
    const ObjectKey secret{key.substr(0, slash), key.substr(std::min(slash + 1, key.size()))};
    if (url.starts_with("https://") && url == appliance_url(url) && config::is_host_name(secret.ns) &&
        config::is_host_name(secret.name))
      out.emplace(url, secret);
  }
  return out;
}

}  // namespace sluice::mgmt::ingress
