// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "dataplane/base/hex.h"
#include "mgmt/rest/certificate_facts.h"
#include "mgmt/rest/change.h"

// The keys of session tickets: written, never shown.
namespace sluice::mgmt::rest {
namespace {

using config::FieldError;
using l7::tls::TicketKey;
using nlohmann::json;

json shown(const Engine& engine) {
  const TicketKeyring::Info info = engine.ticket_keys();
  json keys = json::array();
  for (const TicketKeyring::Key& k : info.keys) keys.push_back({{"name", k.name}, {"since", utc_time(k.since)}});
  return {{"source", info.configured ? "configured" : "generated"},
          {"keys", std::move(keys)},
          {"ticket_lifetime_s", l7::tls::kTicketLifetime},
          {"rotation_s", info.configured ? json() : json(TicketKeyring::kRotation)}};
}

std::string pointer(std::size_t i) { return fmt::format("/keys/{}", i); }

/// One element of "keys".
void read_key(const json& key, std::size_t i, std::vector<TicketSecret>& secrets, std::set<std::string>& names,
              std::vector<FieldError>& errors) {
  if (!key.is_object()) return errors.push_back({pointer(i), "must be an object"});
  for (const auto& [member, value] : key.items()) {
    if (member != "secret") errors.push_back({pointer(i) + "/" + member, "is unknown; expected secret"});
  }
  const std::string at = pointer(i) + "/secret";
  if (!key.contains("secret")) return errors.push_back({at, "is required"});
  if (!key["secret"].is_string()) return errors.push_back({at, "must be a text"});
  auto bytes = from_hex(key["secret"].get_ref<const std::string&>());
  if (!bytes) return errors.push_back({at, "must be hexadecimal digits, two a byte"});
  TicketSecret secret(std::move(*bytes));
  const auto derived = TicketKey::derive(secret.span());
  if (!derived) return errors.push_back({at, derived.error().message});
  if (!names.insert(derived->name_text()).second) return errors.push_back({at, "is there twice"});
  secrets.push_back(std::move(secret));
}

std::vector<FieldError> read_keys(const json& document, std::vector<TicketSecret>& secrets) {
  std::vector<FieldError> errors;
  if (!document.is_object()) return {{"", "must be an object"}};
  for (const auto& [member, value] : document.items()) {
    if (member != "keys") errors.push_back({"/" + member, "is unknown; expected keys"});
  }
  if (!document.contains("keys")) return {{"/keys", "is required"}};
  const json& keys = document["keys"];
  if (!keys.is_array() || keys.empty() || keys.size() > TicketKeyring::kMaxKeys) {
    errors.push_back({"/keys", fmt::format("must be an array of 1 to {} elements", TicketKeyring::kMaxKeys)});
    return errors;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < keys.size(); ++i) read_key(keys[i], i, secrets, names, errors);
  return errors;
}

Reply get(const Engine& engine, const Call& call) {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  return json_reply(200, shown(engine));
}

/// Empty: keys of our own.
Reply set(Engine& engine, const Call& call, const std::vector<TicketSecret>& secrets) {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  ApplyOptions options;
  options.author = call.identity.name;
  options.comment = call.method + " " + call.path;
  if (const Status s = engine.set_ticket_keys(secrets, options); !s)
    return refused({ApplyResult::Outcome::kStoreFailed, engine.revision(), {}, s.error().message}, {});
  return json_reply(200, shown(engine))
      .with("Sluice-Revision", std::to_string(engine.revision()))
      .with("Sluice-Outcome", "applied");
}

Reply put(Engine& engine, const Call& call) {
  auto body = read_json(call);
  if (auto* bad = std::get_if<Reply>(&body)) return std::move(*bad);
  std::vector<TicketSecret> secrets;
  const auto errors = read_keys(std::get<json>(body), secrets);
  if (!errors.empty()) return refused({ApplyResult::Outcome::kInvalid, engine.revision(), {}, {}}, errors);
  return set(engine, call, secrets);
}

}  // namespace

void add_ticket_key_routes(RouteTable& table, const Api& api) {
  static constexpr const char* kPath = "/api/v1/tls/ticket-keys";
  Engine& engine = api.engine;
  table.add({"GET", kPath, Role::kViewer, [&engine](const Call& c) { return get(engine, c); }});
  table.add({"PUT", kPath, Role::kAdmin, [&engine](const Call& c) { return put(engine, c); }});
  table.add({"DELETE", kPath, Role::kAdmin, [&engine](const Call& c) { return set(engine, c, {}); }});
}

}  // namespace sluice::mgmt::rest
