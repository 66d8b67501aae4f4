// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

/// Looking into documents that others send: what is missing, or of another type, reads as nothing.
namespace sluice::mgmt::ingress {

/// The member of an object; a null when there is none, or `object` is none.
inline const nlohmann::json& member(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

inline std::string text(const nlohmann::json& value) {
  return value.is_string() ? value.get_ref<const std::string&>() : std::string();
}
inline std::string text(const nlohmann::json& object, const char* name) { return text(member(object, name)); }

}  // namespace sluice::mgmt::ingress
