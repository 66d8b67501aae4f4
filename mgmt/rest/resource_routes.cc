// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "mgmt/rest/change.h"
#include "mgmt/rest/manager.h"
#include "mgmt/rest/resource_kind.h"

// Create, read, replace, patch and delete, once for all kinds of resource.
namespace sluice::mgmt::rest {
namespace {

using config::Config;
using config::FieldError;
using nlohmann::json;

bool mentions(const json& value, const std::string& name, const std::string& wanted) {
  if (value.is_string()) return value.get_ref<const std::string&>() == wanted;
  if (value.is_object()) return value.contains(name) && mentions(value[name], name, wanted);
  return value.is_array() &&
         std::any_of(value.begin(), value.end(), [&](const json& v) { return mentions(v, name, wanted); });
}

bool passes(const ResourceKind& kind, const Call& call, const json& shown) {
  return std::all_of(kind.filters.begin(), kind.filters.end(), [&](const ListFilter& f) {
    const auto wanted = call.parameter(f.name);
    const json::json_pointer at(f.pointer);
    return !wanted || (shown.contains(at) && mentions(shown[at], f.name, *wanted));
  });
}

std::optional<Reply> bad_list_parameters(const ResourceKind& kind, const Call& call) {
  std::string expected = "limit, after";
  for (const auto& f : kind.filters) expected += ", " + f.name;
  for (const auto& [name, value] : call.query) {
    const bool filter = std::any_of(kind.filters.begin(), kind.filters.end(),
                                    [&, n = name](const auto& f) { return f.name == n; });
    if (!filter && name != "limit" && name != "after") {
      return problem(400, fmt::format("unknown query parameter \"{}\"; expected {}", name, expected));
    }
  }
  return std::nullopt;
}

/// One kind's handlers. Copied into the route table; holds references that outlive it.
class Resource {
 public:
  Resource(const ResourceKind& kind, const Api& api) : kind_(kind), engine_(api.engine), appliance_(api.appliance) {}

  Reply list(const Call& call) const;
  Reply get(const Call& call) const;
  Reply create(const Call& call) const;
  Reply replace(const Call& call) const;
  Reply patch(const Call& call) const;
  Reply remove(const Call& call) const;

 private:
  using Edit = std::function<std::variant<json, Reply>(const json* stored)>;
  /// The common part of PUT and PATCH: `make` gives the new document from the stored one.
  Reply write(const Call& call, const std::string& id, const Edit& make) const;
  /// What the client is shown of a resource, taken while it is certain to exist.
  struct View {
    json shown;
    std::string tag;
  };
  View view(const Config& c, const std::string& id) const { return {show_public(kind_, c, id, appliance_), tag(c, id)}; }
  Reply changed(const ApplyResult& result, View edited, const std::string& id, bool created) const;
  Reply not_found(const std::string& id) const {
    return problem(404, fmt::format("there is no {} \"{}\"", kind_.one, id));
  }
  std::string tag(const Config& c, const std::string& id) const {
    return entity_tag(kind_.show(c, id, config::Secrets::kShow));
  }

  const ResourceKind& kind_;
  Engine& engine_;
  const Appliance& appliance_;
};

Reply Resource::list(const Call& call) const {
  if (auto bad = bad_list_parameters(kind_, call)) return std::move(*bad);
  std::size_t limit = SIZE_MAX;
  if (const auto text = call.parameter("limit")) {
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (ec != std::errc{} || end != text->data() + text->size() || limit == 0)
      return problem(400, "limit: expected a number from 1");
  }
  const std::string after = call.parameter("after").value_or("");
  const auto config = engine_.current();
  json items = json::array();
  json body = json::object();
  for (const std::string& id : kind_.ids(*config)) {
    if (id <= after) continue;
    if (!passes(kind_, call, kind_.show(*config, id, config::Secrets::kHide))) continue;
    if (items.size() == limit) {
      body["next"] = items.back()["id"];  // ?after= of the next page
      break;
    }
    items.push_back(show_public(kind_, *config, id, appliance_));
  }
  body["items"] = std::move(items);
  return json_reply(200, body);
}

Reply Resource::get(const Call& call) const {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  const std::string& id = call.captured[0];
  const auto config = engine_.current();
  if (!kind_.exists(*config, id)) return not_found(id);
  const std::string etag = tag(*config, id);
  if (not_modified(call, etag)) return Reply{304, "", "", {}}.with("ETag", etag);
  return json_reply(200, show_public(kind_, *config, id, appliance_)).with("ETag", etag);
}

Reply Resource::changed(const ApplyResult& result, View edited, const std::string& id, bool created) const {
  // The engine may have filled something in (an address from a pool), so that what runs is shown, not what
  // was sent.
  const auto running = engine_.current();
  if (result.outcome != ApplyResult::Outcome::kDryRun && kind_.exists(*running, id))
    edited = view(*running, id);
  Reply reply = json_reply(created ? 201 : 200, edited.shown);
  if (created) reply.with("Location", fmt::format("/api/v1/{}/{}", kind_.path, id));
  return reply.with("ETag", edited.tag)
      .with("Sluice-Revision", std::to_string(result.revision))
      .with("Sluice-Outcome", std::string(outcome_name(result.outcome)));
}

Reply Resource::create(const Call& call) const {
  auto options = change_options(call);
  if (auto* bad = std::get_if<Reply>(&options)) return std::move(*bad);
  auto body = read_json(call);
  if (auto* bad = std::get_if<Reply>(&body)) return std::move(*bad);
  json document = std::get<json>(std::move(body));
  drop_status(kind_, document);

  std::string id;
  std::optional<Reply> refusal;
  View edited;
  const ApplyResult result = engine_.edit(
      [&](Config& config) -> std::vector<FieldError> {
        id = document.is_object() && document.contains("id") && document["id"].is_string() ? document["id"]
                                                                                           : "";
        if (kind_.exists(config, id)) {
          refusal = problem(409, fmt::format("there is a {} \"{}\" already; PUT replaces it", kind_.one, id),
                            {{"/id", "is taken"}});
          return {{"/id", "is taken"}};
        }
        id.clear();
        std::vector<FieldError> errors = kind_.put(config, document, id);
        if (!errors.empty()) return errors;
        refusal = managed_by_another(call, kind_, *engine_.current(), config, {id});
        if (refusal) return {{"", "refused"}};
        edited = view(config, id);
        return {};
      },
      std::get<ApplyOptions>(options));
  if (refusal) return std::move(*refusal);
  if (!succeeded(result))
    return refused(result, config::errors_for_resource(result.errors, kind_.member, id));
  return changed(result, std::move(edited), id, true);
}

Reply Resource::write(const Call& call, const std::string& id, const Edit& make) const {
  auto options = change_options(call);
  if (auto* bad = std::get_if<Reply>(&options)) return std::move(*bad);
  std::optional<Reply> refusal;
  bool created = false;
  View edited;
  const ApplyResult result = engine_.edit(
      [&](Config& config) -> std::vector<FieldError> {
        created = !kind_.exists(config, id);
        const json stored = created ? json() : kind_.show(config, id, config::Secrets::kHide);
        refusal = failed_precondition(call, created ? "" : tag(config, id));
        if (refusal) return {{"", "precondition"}};
        auto document = make(created ? nullptr : &stored);
        if (auto* bad = std::get_if<Reply>(&document)) {
          refusal = std::move(*bad);
          return {{"", "refused"}};
        }
        drop_status(kind_, std::get<json>(document));
        std::string named = id;
        auto errors = kind_.put(config, std::get<json>(document), named);
        if (!errors.empty()) return errors;
        refusal = managed_by_another(call, kind_, *engine_.current(), config, {id});
        if (refusal) return {{"", "refused"}};
        edited = view(config, id);
        return {};
      },
      std::get<ApplyOptions>(options));
  if (refusal) return std::move(*refusal);
  if (!succeeded(result))
    return refused(result, config::errors_for_resource(result.errors, kind_.member, id));
  return changed(result, std::move(edited), id, created);
}

Reply Resource::replace(const Call& call) const {
  auto body = read_json(call);
  if (auto* bad = std::get_if<Reply>(&body)) return std::move(*bad);
  return write(call, call.captured[0],
               [&](const json*) -> std::variant<json, Reply> { return std::get<json>(body); });
}

Reply Resource::patch(const Call& call) const {
  auto body = read_json(call);
  if (auto* bad = std::get_if<Reply>(&body)) return std::move(*bad);
  const std::string& id = call.captured[0];
  return write(call, id, [&](const json* stored) -> std::variant<json, Reply> {
    if (stored == nullptr) return not_found(id);
    json document = *stored;
    document.merge_patch(std::get<json>(body));  // RFC 7396
    return document;
  });
}

Reply Resource::remove(const Call& call) const {
  auto options = change_options(call);
  if (auto* bad = std::get_if<Reply>(&options)) return std::move(*bad);
  const std::string& id = call.captured[0];
  std::optional<Reply> refusal;
  const ApplyResult result = engine_.edit(
      [&](Config& config) -> std::vector<FieldError> {
        if (!kind_.exists(config, id)) {
          refusal = not_found(id);
        } else if (auto failed = failed_precondition(call, tag(config, id))) {
          refusal = std::move(failed);
        } else if (const auto users = referrers(config, kind_.member, id); !users.empty()) {
          refusal =
              problem(409,
                      fmt::format("{} \"{}\" is still in use: {}{}", kind_.one, id, users.front().message,
                                  users.size() > 1 ? fmt::format(" (and {} more)", users.size() - 1) : ""),
                      users);
        }
        if (!refusal) refusal = managed_by_another(call, kind_, config, config, {id});
        if (refusal) return {{"", "refused"}};
        kind_.erase(config, id);
        return {};
      },
      std::get<ApplyOptions>(options));
  if (refusal) return std::move(*refusal);
  if (!succeeded(result)) return refused(result, result.errors);
  return Reply{204, "", "", {}}
      .with("Sluice-Revision", std::to_string(result.revision))
      .with("Sluice-Outcome", std::string(outcome_name(result.outcome)));
}

}  // namespace

void add_resource_routes(RouteTable& table, const Api& api) {
  for (const ResourceKind& kind : resource_kinds()) {
    const Resource r(kind, api);
    const std::string all = "/api/v1/" + kind.path, one = all + "/{id}";
    table.add({"GET", all, Role::kViewer, [r](const Call& c) { return r.list(c); }});
    table.add({"POST", all, Role::kAdmin, [r](const Call& c) { return r.create(c); }});
    table.add({"GET", one, Role::kViewer, [r](const Call& c) { return r.get(c); }});
    table.add({"PUT", one, Role::kAdmin, [r](const Call& c) { return r.replace(c); }});
    table.add({"PATCH", one, Role::kAdmin, [r](const Call& c) { return r.patch(c); }});
    table.add({"DELETE", one, Role::kAdmin, [r](const Call& c) { return r.remove(c); }});
  }
}

}  // namespace sluice::mgmt::rest
