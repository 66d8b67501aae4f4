// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/change.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/base/ascii.h"
#include "mgmt/config/json.h"

namespace sluice::mgmt::rest {
namespace {

/// Whether a list of entity tags has `tag` or is "*". Weak tags never match (strong comparison, RFC
/// 9110, 8.8.3.2).
bool tag_listed(std::string_view list, const std::string& tag) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    std::string_view one = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    const auto first = one.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    one = one.substr(first, one.find_last_not_of(" \t") - first + 1);
    if (one == "*" ? !tag.empty() : one == tag) return true;
  }
  return false;
}

/// Without the text that the parser quotes: it may have stopped inside a private key.
std::string without_quotation(const std::string& message) {
  return message.substr(0, message.find("; last read:"));
}

}  // namespace

std::variant<nlohmann::json, Reply> read_json(const Call& call) {
  const std::string type = ascii_lower(call.header("content-type"));
  const std::string media = type.substr(0, type.find_first_of("; \t"));
  const bool patch = call.method == "PATCH";
  if (!media.empty() && media != "application/json" && !(patch && media == "application/merge-patch+json")) {
    return problem(415, fmt::format("the body must be application/json{}, not {}",
                                    patch ? " or application/merge-patch+json" : "", media));
  }
  if (call.body.empty()) return problem(400, "the request has no body; expected a JSON document");
  auto parsed = config::json_from_text(call.body);
  if (!parsed.ok()) {
    const std::string what = without_quotation(parsed.errors.front().message);
    return problem(400, "the body " + what, {{parsed.errors.front().path, what}});
  }
  return std::move(parsed.value);
}

Reply json_reply(int status, const nlohmann::json& body) {
  // Texts may come from certificates or clients and hold any bytes.
  return {status,
          "application/json",
          body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
          {}};
}

std::variant<ApplyOptions, Reply> change_options(const Call& call) {
  ApplyOptions out;
  out.author = call.identity.name;
  out.comment = call.method + " " + call.path;
  if (const auto dry = call.parameter("dry_run")) {
    if (*dry != "true" && *dry != "false") return problem(400, "dry_run: expected true or false");
    out.dry_run = *dry == "true";
  }
  if (const auto force = call.parameter("override_manager"); force && *force != "true" && *force != "false") {
    return problem(400, "override_manager: expected true or false");
  }
  if (auto bad = unknown_parameters(call, {"dry_run", "override_manager"})) return std::move(*bad);
  return out;
}

std::optional<Reply> unknown_parameters(const Call& call, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : call.query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string expected;
    for (const auto k : known) expected += (expected.empty() ? "" : ", ") + std::string(k);
    return problem(400, fmt::format("unknown query parameter \"{}\"; expected {}", name,
                                    expected.empty() ? "none" : expected));
  }
  return std::nullopt;
}

std::optional<Reply> failed_precondition(const Call& call, const std::string& tag) {
  const std::string match = call.header("if-match"), none = call.header("if-none-match");
  if (!match.empty() && !tag_listed(match, tag)) {
    return problem(412, tag.empty() ? "there is nothing yet that If-Match could match"
                                    : "it has changed since it was read; its ETag is now " + tag);
  }
  if (!none.empty() && tag_listed(none, tag)) return problem(412, "it exists already; its ETag is " + tag);
  return std::nullopt;
}

bool not_modified(const Call& call, const std::string& tag) {
  const std::string none = call.header("if-none-match");
  return !none.empty() && tag_listed(none, tag);
}

Reply refused(const ApplyResult& result, const std::vector<config::FieldError>& errors) {
  using O = ApplyResult::Outcome;
  if (result.outcome == O::kConflict) {
    return problem(412, fmt::format("the running revision is {}, not the expected one", result.revision));
  }
  if (result.outcome == O::kStoreFailed) {
    // Ours, SQLite's and the system's words for it.
    const auto says = [&](const char* words) { return result.message.find(words) != std::string::npos; };
    const bool full = says("no space left") || says("disk is full") || says("No space left");
    return problem(full ? 507 : 503, "nothing was changed: " + result.message);
  }
  const std::string first =
      errors.empty() ? result.message : errors.front().path + ": " + errors.front().message;
  return problem(422, errors.size() > 1 ? fmt::format("{} (and {} more)", first, errors.size() - 1) : first,
                 errors);
}

std::string_view outcome_name(ApplyResult::Outcome o) {
  using O = ApplyResult::Outcome;
  switch (o) {
    case O::kApplied:
      return "applied";
    case O::kUnchanged:
      return "unchanged";
    case O::kDryRun:
      return "dry_run";
    default:
      return "refused";
  }
}

}  // namespace sluice::mgmt::rest
