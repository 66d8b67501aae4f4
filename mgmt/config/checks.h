// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "mgmt/config/bounds.h"
#include "mgmt/config/model.h"
#include "mgmt/config/pointer.h"

/// What validate() is made of: one function a part of the model, and the small judgements that they share.
namespace sluice::mgmt::config::detail {

/// An action of a listener that cannot answer by itself, because it passes TLS on.
void check_passed_on(ErrorList& errors, const Pointer& at, const Action& action);
void check_range(ErrorList& errors, const Pointer& at, std::uint64_t value, std::uint64_t low,
                 std::uint64_t high);
/// "\"a\", \"b\" or \"c\"".
std::string alternatives(std::span<const std::string_view> names);
void check_one_of(ErrorList& errors, const Pointer& at, std::string_view value,
                  std::initializer_list<std::string_view> allowed);
/// A free text of at most `max` bytes without control characters.
void check_text(ErrorList& errors, const Pointer& at, std::string_view value, std::size_t max = kMaxText);
void check_count(ErrorList& errors, const Pointer& at, std::size_t count, std::size_t low, std::size_t high);
/// Starts with "/", visible ASCII, no query or fragment.
void check_path(ErrorList& errors, const Pointer& at, std::string_view value);

void check_action(ErrorList& errors, const Pointer& at, const Action& action, const Config& config);
void check_rule(ErrorList& errors, const Pointer& at, const Rule& rule, const Config& config);
void check_listener(ErrorList& errors, const Pointer& at, const Listener& listener, const Config& config);
void check_tls_policy(ErrorList& errors, const Pointer& at, const TlsPolicy& policy);
void check_server_group(ErrorList& errors, const Pointer& at, const ServerGroup& group, const Config& config);

/// "no server group has the id \"web\"".
template <class Map>
void check_reference(ErrorList& errors, const Pointer& at, const Map& map, const std::string& id,
                     std::string_view kind) {
  if (map.contains(id)) return;
  errors.add(at, id.empty() ? "must be the id of a " + std::string(kind)
                            : "no " + std::string(kind) + " has the id \"" + id.substr(0, 128) + "\"");
}

}  // namespace sluice::mgmt::config::detail
