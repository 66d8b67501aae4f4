// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "mgmt/config/json.h"
#include "mgmt/config/model.h"
#include "mgmt/rest/appliance.h"

namespace sluice::mgmt::rest {

/// GET /rules?listener=web: keeps what mentions the value at `pointer` (a text, an array of texts, or an
/// array of objects with a member of the filter's name).
struct ListFilter {
  std::string name;
  std::string pointer;
};

/// One kind of resource, its type erased: the handlers are written once, over this. A kind is
/// added by a line in resource_kind.cc; mgmt/config/README.md says where else.
struct ResourceKind {
  using Json = nlohmann::json;

  std::string member;  ///< "server_groups": in the config document.
  std::string path;    ///< "server-groups": in the URL.
  std::string one;     ///< "server group": in messages.
  std::vector<ListFilter> filters;

  std::function<std::vector<std::string>(const config::Config&)> ids;
  std::function<bool(const config::Config&, const std::string& id)> exists;
  /// `id` exists.
  std::function<Json(const config::Config&, const std::string& id, config::Secrets)> show;
  /// Creates or replaces from JSON. `id` empty: the body's own or a generated one; comes back filled.
  std::function<std::vector<config::FieldError>(config::Config&, const Json& document, std::string& id)> put;
  std::function<void(config::Config&, const std::string& id)> erase;
  /// Moves all of `from` into `into`, in place of those of the same id.
  std::function<void(config::Config& into, config::Config& from)> merge;
  /// The ownership mark; empty: none, or there is no `id`.
  std::function<std::string(const config::Config&, const std::string& id)> manager;
  /// What both states hold but differently, or only one of them.
  struct Difference {
    std::vector<std::string> created, changed, deleted;
  };
  std::function<Difference(const config::Config& before, const config::Config& after)> difference;
  /// Adds read-only facts as the member "status"; may be empty.
  std::function<void(Json& shown, const Appliance& appliance)> add_status;
};

std::span<const ResourceKind> resource_kinds();

/// What differs between two states, by kind; kinds without a difference are left out.
struct KindDifference {
  const ResourceKind* kind;
  ResourceKind::Difference ids;
};
std::vector<KindDifference> differences(const config::Config& before, const config::Config& after);

/// Where `id` is still referred to: {"/rules/shop/action/server_groups/0", "rule \"shop\" forwards to it"}.
std::vector<config::FieldError> referrers(const config::Config& config, std::string_view member,
                                          const std::string& id);

/// The form that leaves the process: no secrets, and the read-only status.
nlohmann::json show_public(const ResourceKind& kind, const config::Config& config, const std::string& id,
                           const Appliance& appliance);

/// Strong validator (RFC 9110, 8.8.3) of the whole resource, secrets included, as a quoted hash.
std::string entity_tag(const nlohmann::json& with_secrets);

/// Takes out the read-only "status", so that what was read can be edited and sent back.
void drop_status(const ResourceKind& kind, nlohmann::json& document);

}  // namespace sluice::mgmt::rest
