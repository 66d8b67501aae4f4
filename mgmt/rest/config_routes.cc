// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>

#include "mgmt/config/validate.h"
#include "mgmt/engine/keep_keys.h"
#include "mgmt/rest/certificate_facts.h"
#include "mgmt/rest/change.h"
#include "mgmt/rest/manager.h"
#include "mgmt/rest/resource_kind.h"

// The whole desired state as one document, and its history.
namespace sluice::mgmt::rest {
namespace {

using config::Config;
using nlohmann::json;

std::string revision_tag(std::uint64_t revision) { return fmt::format("\"{}\"", revision); }

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

/// If-Match of /config is the revision, with or without quotes.
std::variant<std::optional<std::uint64_t>, Reply> expected_revision(const Call& call) {
  std::string text = call.header("if-match");
  if (text.empty() || text == "*") return std::nullopt;
  if (text.size() > 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  const auto n = parse_number(text);
  if (!n)
    return problem(400, "If-Match: expected the number of a revision, as in the ETag of GET /api/v1/config");
  return n;
}

void drop_all_status(json& document) {
  if (!document.is_object()) return;
  for (const ResourceKind& kind : resource_kinds()) {
    const auto list = document.find(kind.member);
    if (list == document.end() || !list->is_array()) continue;
    for (json& one : *list) drop_status(kind, one);
  }
}

json as_json(const std::vector<KindDifference>& differing) {
  json out = json::object();
  for (const auto& [kind, ids] : differing) {
    out[kind->member] = {{"created", ids.created}, {"changed", ids.changed}, {"deleted", ids.deleted}};
  }
  return out;
}

Reply applied(const ApplyResult& result, const json& changes) {
  return json_reply(
             200,
             {{"revision", result.revision}, {"outcome", outcome_name(result.outcome)}, {"changes", changes}})
      .with("ETag", revision_tag(result.revision))
      .with("Sluice-Revision", std::to_string(result.revision))
      .with("Sluice-Outcome", std::string(outcome_name(result.outcome)));
}

struct Edited {
  ApplyResult result;
  json changes;
  std::optional<Reply> refusal;
};

/// What the transactions of all handlers here end with, under the engine's lock: may the caller change that, and what is it?
std::vector<config::FieldError> inspect(Engine& engine, const Call& call, Config& next, Edited& out) {
  const auto before = engine.current();
  config::fill_defaults(next);  // so that what is default on both sides is no difference
  keep_private_keys(next, *before);
  const auto differing = differences(*before, next);
  out.refusal = managed_by_another(call, differing, *before, next);
  if (out.refusal) return {{"", "refused"}};
  out.changes = as_json(differing);
  return {};
}

Reply get_config(Engine& engine, const Call& call) {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  // The revision is read on both sides of the state: when a change came between, again.
  for (;;) {
    const std::uint64_t revision = engine.revision();
    const auto config = engine.current();
    if (engine.revision() != revision) continue;
    const std::string tag = revision_tag(revision);
    if (not_modified(call, tag)) return Reply{304, "", "", {}}.with("ETag", tag);
    return json_reply(200, config::to_json(*config, config::Secrets::kHide)).with("ETag", tag);
  }
}

struct DocumentChange {
  ApplyOptions options;
  json document;
};

/// What every change by a document begins with: how, at which revision, and what.
std::variant<DocumentChange, Reply> read_change(const Call& call) {
  auto options = change_options(call);
  if (auto* bad = std::get_if<Reply>(&options)) return std::move(*bad);
  auto expected = expected_revision(call);
  if (auto* bad = std::get_if<Reply>(&expected)) return std::move(*bad);
  auto body = read_json(call);
  if (auto* bad = std::get_if<Reply>(&body)) return std::move(*bad);
  DocumentChange out{std::move(std::get<ApplyOptions>(options)), std::move(std::get<json>(body))};
  out.options.expected_revision = std::get<0>(expected);
  return out;
}

Edited replace(Engine& engine, const Call& call, const ApplyOptions& options, Config next) {
  Edited out;
  out.result =
      engine.apply(std::move(next), options, [&](Config& c) { return inspect(engine, call, c, out); });
  return out;
}

Reply put_config(Engine& engine, const Call& call) {
  auto read = read_change(call);
  if (auto* bad = std::get_if<Reply>(&read)) return std::move(*bad);
  auto& [options, document] = std::get<DocumentChange>(read);
  drop_all_status(document);
  auto parsed = config::config_from_json(document);
  if (!parsed.ok())
    return refused({ApplyResult::Outcome::kInvalid, engine.revision(), {}, {}}, parsed.errors);

  const Edited edited = replace(engine, call, options, std::move(parsed.value));
  if (edited.refusal) return *edited.refusal;
  if (!succeeded(edited.result))
    return refused(edited.result, config::errors_for_document(edited.result.errors, document));
  return applied(edited.result, edited.changes);
}

/// {"rules": ["a", "b"]}
std::vector<config::FieldError> read_deletions(const json& document,
                                               std::map<std::string, std::set<std::string>>& out) {
  if (!document.is_object()) return {{"/delete", "must be an object"}};
  for (const auto& [member, ids] : document.items()) {
    const std::string at = "/delete/" + member;
    const auto kinds = resource_kinds();
    if (std::none_of(kinds.begin(), kinds.end(), [&, m = member](const auto& k) { return k.member == m; }))
      return {{at, "is no kind of resource"}};
    if (!ids.is_array()) return {{at, "must be an array"}};
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!ids[i].is_string()) return {{fmt::format("{}/{}", at, i), "must be a text"}};
      out[member].insert(ids[i]);
    }
  }
  return {};
}

/// Some objects put and some deleted, in one transaction. What is to be deleted may be gone already.
Reply patch_config(Engine& engine, const Call& call) {
  auto read = read_change(call);
  if (auto* bad = std::get_if<Reply>(&read)) return std::move(*bad);
  auto& [options, document] = std::get<DocumentChange>(read);
  const auto invalid = [&](std::vector<config::FieldError> errors) {
    return refused({ApplyResult::Outcome::kInvalid, engine.revision(), {}, {}}, errors);
  };
  if (!document.is_object()) return invalid({{"", "must be an object"}});
  for (const auto& [member, value] : document.items()) {
    if (member != "put" && member != "delete")
      return invalid({{"/" + member, "is unknown; expected put, delete"}});
  }
  json put = document.value("put", json::object());
  drop_all_status(put);
  auto parsed = config::config_from_json(put);
  for (auto& e : parsed.errors) e.path.insert(0, "/put");
  if (!parsed.ok()) return invalid(parsed.errors);
  std::map<std::string, std::set<std::string>> deletions;
  if (const auto errors = read_deletions(document.value("delete", json::object()), deletions);
      !errors.empty())
    return invalid(errors);

  Edited edited;
  const auto change = [&](Config& next) {
    for (const ResourceKind& kind : resource_kinds()) {
      for (const std::string& id : deletions[kind.member]) kind.erase(next, id);
      kind.merge(next, parsed.value);
    }
    return inspect(engine, call, next, edited);
  };
  edited.result = engine.edit(change, options);
  if (edited.refusal) return *edited.refusal;
  if (!succeeded(edited.result))
    return refused(edited.result, config::errors_for_document(edited.result.errors, put, "/put"));
  return applied(edited.result, edited.changes);
}

Reply audit(Engine& engine, const Call& call) {
  if (auto bad = unknown_parameters(call, {"limit"})) return std::move(*bad);
  const auto limit = parse_number(call.parameter("limit").value_or("100"));
  if (!limit || *limit == 0) return problem(400, "limit: expected a number from 1");
  json items = json::array();
  for (const AuditInfo& a : engine.audit(*limit)) {
    items.push_back({{"time", utc_time(a.time)},
                     {"author", a.author},
                     {"action", a.action},
                     {"outcome", a.outcome},
                     {"revision", a.revision}});
  }
  return json_reply(200, {{"items", items}});
}

json revision_json(const RevisionInfo& r) {
  return {{"revision", r.revision}, {"time", utc_time(r.time)}, {"author", r.author}, {"comment", r.comment}};
}

Reply list_revisions(Engine& engine, const Call& call) {
  if (auto bad = unknown_parameters(call, {"limit"})) return std::move(*bad);
  const auto limit = parse_number(call.parameter("limit").value_or("100"));
  if (!limit || *limit == 0) return problem(400, "limit: expected a number from 1");
  json items = json::array();
  for (const RevisionInfo& r : engine.revisions(*limit)) items.push_back(revision_json(r));
  return json_reply(200, {{"items", items}, {"running", engine.revision()}});
}

std::variant<Config, Reply> stored_revision(Engine& engine, const std::string& text) {
  const auto number = parse_number(text);
  if (!number) return problem(404, fmt::format("there is no revision \"{}\"", text));
  auto config = engine.revision_config(*number);
  if (!config) return problem(404, config.error().message);
  return std::move(config).value();
}

Reply get_revision(Engine& engine, const Call& call) {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  auto config = stored_revision(engine, call.captured[0]);
  if (auto* bad = std::get_if<Reply>(&config)) return std::move(*bad);
  const std::uint64_t number = *parse_number(call.captured[0]);
  json body = {{"revision", number}};
  for (const RevisionInfo& r : engine.revisions(SIZE_MAX)) {
    if (r.revision == number) body = revision_json(r);
  }
  body["config"] = config::to_json(std::get<Config>(config), config::Secrets::kHide);
  body["changes_to_running"] = as_json(differences(std::get<Config>(config), *engine.current()));
  return json_reply(200, body);
}

Reply rollback(Engine& engine, const Call& call) {
  auto options = change_options(call);
  if (auto* bad = std::get_if<Reply>(&options)) return std::move(*bad);
  auto expected = expected_revision(call);
  if (auto* bad = std::get_if<Reply>(&expected)) return std::move(*bad);
  auto config = stored_revision(engine, call.captured[0]);
  if (auto* bad = std::get_if<Reply>(&config)) return std::move(*bad);
  auto& o = std::get<ApplyOptions>(options);
  o.expected_revision = std::get<0>(expected);
  o.comment = "rollback to revision " + call.captured[0];
  const Edited edited = replace(engine, call, o, std::move(std::get<Config>(config)));
  if (edited.refusal) return *edited.refusal;
  return succeeded(edited.result) ? applied(edited.result, edited.changes)
                                  : refused(edited.result, edited.result.errors);
}

}  // namespace

void add_config_routes(RouteTable& table, const Api& api) {
  Engine& engine = api.engine;
  table.add(
      {"GET", "/api/v1/config", Role::kViewer, [&engine](const Call& c) { return get_config(engine, c); }});
  table.add(
      {"PUT", "/api/v1/config", Role::kAdmin, [&engine](const Call& c) { return put_config(engine, c); }});
  table.add({"PATCH", "/api/v1/config", Role::kAdmin,
             [&engine](const Call& c) { return patch_config(engine, c); }});
  table.add({"GET", "/api/v1/audit", Role::kViewer, [&engine](const Call& c) { return audit(engine, c); }});
  table.add({"GET", "/api/v1/revisions", Role::kViewer,
             [&engine](const Call& c) { return list_revisions(engine, c); }});
  table.add({"GET", "/api/v1/revisions/{revision}", Role::kViewer,
             [&engine](const Call& c) { return get_revision(engine, c); }});
  table.add({"POST", "/api/v1/revisions/{revision}/rollback", Role::kAdmin,
             [&engine](const Call& c) { return rollback(engine, c); }});
}

}  // namespace sluice::mgmt::rest
