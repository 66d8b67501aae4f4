// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "dataplane/base/ip.h"
#include "mgmt/config/checks.h"
#include "mgmt/config/names.h"

namespace sluice::mgmt::config::detail {
namespace {

void check_forward(ErrorList& errors, const Pointer& at, const ForwardAction& action, const Config& config) {
  const Pointer groups_at = at / "server_groups";
  check_count(errors, groups_at, action.server_groups.size(), 1, 32);
  std::set<std::string_view> seen;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < action.server_groups.size(); ++i) {
    const WeightedGroupRef& ref = action.server_groups[i];
    const Pointer ref_at = groups_at / i;
    check_reference(errors, ref_at / "server_group", config.server_groups, ref.server_group, "server group");
    check_range(errors, ref_at / "weight", ref.weight, 0, kMaxWeight);
    if (!seen.insert(ref.server_group).second)
      errors.add(ref_at / "server_group", "is named twice in this action");
    total += ref.weight;
  }
  if (total == 0 && !action.server_groups.empty()) errors.add(groups_at, "must have a weight above 0");
}

/// Host, path and query of a redirect may be the request's own: "${host}", "${path}", "${query}".
void check_redirect(ErrorList& errors, const Pointer& at, const RedirectAction& action) {
  if (action.status != 301 && action.status != 302 && action.status != 303 && action.status != 307 &&
      action.status != 308) {
    errors.add(at / "status", "must be 301, 302, 303, 307 or 308");
  }
  if (!action.scheme.empty()) check_one_of(errors, at / "scheme", action.scheme, {"http", "https"});
  if (!action.host.empty() && action.host != "${host}" && !is_host_name(action.host)) {
    errors.add(at / "host", "must be a host name (RFC 1123) or \"${host}\"");
  }
  check_range(errors, at / "port", action.port, 0, 65535);
  if (!action.path.empty() && !action.path.starts_with("${path}"))
    check_path(errors, at / "path", action.path);
  for (const auto& [name, value] : {std::pair("path", &action.path), std::pair("query", &action.query)}) {
    if (!is_visible_ascii(*value) || value->size() > kMaxPath) {
      errors.add(at / name, "must be visible ASCII of at most " + std::to_string(kMaxPath) + " bytes");
    }
  }
  if (action.scheme.empty() && action.host.empty() && action.path.empty() && action.query.empty() &&
      action.port == 0) {
    errors.add(at, "must change the scheme, host, port, path or query: else it leads back to itself");
  }
}

void check_fixed_response(ErrorList& errors, const Pointer& at, const FixedResponseAction& action) {
  check_range(errors, at / "status", action.status, 200, 599);
  check_text(errors, at / "content_type", action.content_type);
  if (action.body.size() > kMaxBody) {
    errors.add(at / "body", "must be at most " + std::to_string(kMaxBody) + " bytes long");
  }
  // RFC 9110, 15.3.5 and 15.4.5: these have no content.
  if ((action.status == 204 || action.status == 304) && !action.body.empty()) {
    errors.add(at / "body", "must be empty with status " + std::to_string(action.status));
  }
}

void check_host(ErrorList& errors, const Pointer& at, const HostMatch& host) {
  if (!is_host_pattern(host.value)) {
    errors.add(at / "value", "must be a host name (RFC 1123) with at most one leading \"*.\"");
  }
  check_one_of(errors, at / "wildcard", host.wildcard, {"one", "many"});
}

void check_path_match(ErrorList& errors, const Pointer& at, const PathMatch& path) {
  check_one_of(errors, at / "type", path.type, {"exact", "prefix", "string_prefix", "regex"});
  if (path.type != "regex") {
    check_path(errors, at / "value", path.value);
    if (path.ignore_case) errors.add(at / "ignore_case", "is for type \"regex\" only");
    return;
  }
  if (path.value.empty()) errors.add(at / "value", "must not be empty");
  check_text(errors, at / "value", path.value, kMaxPath);
}

void check_condition(ErrorList& errors, const Pointer& at, const ValueMatch& condition) {
  check_one_of(errors, at / "type", condition.type, {"header", "query", "cookie", "method", "source"});
  const bool named = condition.type == "header" || condition.type == "query" || condition.type == "cookie";
  const bool source = condition.type == "source", method = condition.type == "method";
  if (condition.type == "header" && !is_token(condition.name)) {
    errors.add(at / "name", "must be a field name (RFC 9110, 5.1)");
  } else if (named && (condition.name.empty() || !is_visible_ascii(condition.name))) {
    errors.add(at / "name", "must be visible ASCII and not empty");
  } else if ((source || method) && !condition.name.empty()) {
    errors.add(at / "name", "must be empty for type \"" + condition.type + "\"");
  }
  const Pointer values_at = at / "values";
  check_count(errors, values_at, condition.values.size(), source || method ? 1 : 0, kMaxAlternatives);
  for (std::size_t i = 0; i < condition.values.size(); ++i) {
    if (source && !IpPrefix::parse(condition.values[i])) {
      errors.add(values_at / i, "must be an address or a prefix such as 192.0.2.0/24");
    } else if (method && !is_token(condition.values[i])) {
      errors.add(values_at / i, "must be a method (RFC 9110, 9.1)");
    } else {
      check_text(errors, values_at / i, condition.values[i]);
    }
  }
}

/// All that is seen of TLS is the server name and where it comes from.
void check_rule_of_passthrough(ErrorList& errors, const Pointer& at, const Rule& rule) {
  const std::string why = " where the listener's protocol is \"tls_passthrough\"";
  if (!rule.paths.empty()) errors.add(at / "paths", "must be empty" + why);
  const Pointer conditions_at = at / "conditions";
  for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
    const Pointer condition_at = conditions_at / i;
    if (rule.conditions[i].type != "source") errors.add(condition_at / "type", "must be \"source\"" + why);
  }
  check_passed_on(errors, at / "action", rule.action);
}

}  // namespace

void check_action(ErrorList& errors, const Pointer& at, const Action& action, const Config& config) {
  if (const auto* forward = std::get_if<ForwardAction>(&action)) check_forward(errors, at, *forward, config);
  if (const auto* redirect = std::get_if<RedirectAction>(&action)) check_redirect(errors, at, *redirect);
  if (const auto* fixed = std::get_if<FixedResponseAction>(&action)) check_fixed_response(errors, at, *fixed);
}

void check_passed_on(ErrorList& errors, const Pointer& at, const Action& action) {
  if (!std::holds_alternative<ForwardAction>(action)) {
    errors.add(at / "type", "must be \"forward\" where the listener's protocol is \"tls_passthrough\"");
  }
}

void check_rule(ErrorList& errors, const Pointer& at, const Rule& rule, const Config& config) {
  check_reference(errors, at / "listener", config.listeners, rule.listener, "listener");
  const Pointer hosts_at = at / "hosts", paths_at = at / "paths", conditions_at = at / "conditions";
  check_count(errors, hosts_at, rule.hosts.size(), 0, kMaxAlternatives);
  for (std::size_t i = 0; i < rule.hosts.size(); ++i) check_host(errors, hosts_at / i, rule.hosts[i]);
  check_count(errors, paths_at, rule.paths.size(), 0, kMaxAlternatives);
  for (std::size_t i = 0; i < rule.paths.size(); ++i) check_path_match(errors, paths_at / i, rule.paths[i]);
  // The router holds each pair of them.
  if (rule.hosts.size() * rule.paths.size() > 10 * kMaxAlternatives) {
    errors.add(at, "must not have more than 10000 pairs of host and path");
  }
  check_count(errors, conditions_at, rule.conditions.size(), 0, 32);
  for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
    check_condition(errors, conditions_at / i, rule.conditions[i]);
  }
  check_action(errors, at / "action", rule.action, config);
  const auto listener = config.listeners.find(rule.listener);
  if (listener != config.listeners.end() && listener->second.protocol == "tls_passthrough") {
    check_rule_of_passthrough(errors, at, rule);
  }
}

}  // namespace sluice::mgmt::config::detail
