// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "mgmt/config/model.h"
#include "mgmt/config/pointer.h"

/// What validate() is made of: one function a part of the model, and the small judgements that they share.
namespace sluice::mgmt::config::detail {

inline constexpr std::size_t kMaxBody = 64 * 1024;     ///< Fixed response, bytes.
inline constexpr std::size_t kMaxPem = 256 * 1024;     ///< A certificate chain or key, bytes.
inline constexpr std::size_t kMaxText = 1024;          ///< Names, content types, bytes.
inline constexpr std::size_t kMaxPath = 4096;          ///< Paths, expressions, queries, bytes.
inline constexpr std::size_t kMaxAlternatives = 1000;  ///< Hosts, paths, values of a rule; addresses, ranges.
inline constexpr std::size_t kMaxServerNames = 4096;   ///< Of one certificate of a listener.
inline constexpr std::size_t kMaxAclEntries = 10000;   ///< Of one access control list.
inline constexpr std::size_t kMaxAcls = 16;            ///< Of one listener.
inline constexpr std::size_t kMaxMembers = 4096;       ///< Of one group.
inline constexpr std::uint64_t kMaxWeight = 65535;
inline constexpr std::uint64_t kDayMs = 24ull * 3600 * 1000;

void check_range(ErrorList& errors, const Pointer& at, std::uint64_t value, std::uint64_t low,
                 std::uint64_t high);
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
void check_server_group(ErrorList& errors, const Pointer& at, const ServerGroup& group);

/// "no server group has the id \"web\"".
template <class Map>
void check_reference(ErrorList& errors, const Pointer& at, const Map& map, const std::string& id,
                     std::string_view kind) {
  if (map.contains(id)) return;
  errors.add(at, id.empty() ? "must be the id of a " + std::string(kind)
                            : "no " + std::string(kind) + " has the id \"" + id.substr(0, 128) + "\"");
}

}  // namespace sluice::mgmt::config::detail
