// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "mgmt/engine/engine.h"
#include "mgmt/rest/api.h"

/// What all handlers that change something share: reading the body, preconditions, and turning the engine's
/// answer into a reply.
namespace sluice::mgmt::rest {

/// The body as JSON, or the problem: 415, 400.
std::variant<nlohmann::json, Reply> read_json(const Call& call);

Reply json_reply(int status, const nlohmann::json& body);

/// ?dry_run=true, the author, and the comment for the list of revisions. A wrong value is a problem.
std::variant<ApplyOptions, Reply> change_options(const Call& call);

/// Refuses parameters that nobody reads: a mistyped filter must not mean "all".
std::optional<Reply> unknown_parameters(const Call& call, std::initializer_list<std::string_view> known);

/// If-Match and If-None-Match of a change (RFC 9110, 13.1). `tag`: of the stored resource, empty when there
/// is none.
std::optional<Reply> failed_precondition(const Call& call, const std::string& tag);
/// If-None-Match of a GET: the client has this already.
bool not_modified(const Call& call, const std::string& tag);

/// The problem that an unsuccessful outcome is: 412, 422, 503, 507. `errors` are those of the result, as
/// pointers into what the client sent.
Reply refused(const ApplyResult& result, const std::vector<config::FieldError>& errors);

inline bool succeeded(const ApplyResult& r) {
  using O = ApplyResult::Outcome;
  return r.outcome == O::kApplied || r.outcome == O::kUnchanged || r.outcome == O::kDryRun;
}

/// "applied", "unchanged", "dry_run"
std::string_view outcome_name(ApplyResult::Outcome o);

}  // namespace sluice::mgmt::rest
