// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/dispatch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <typeinfo>

#include "dataplane/base/ip.h"

namespace sluice::mgmt::rest {
namespace {

/// Anything that a client sent, on one log line.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string header_of(const Reply& reply, std::string_view name) {
  for (const auto& [n, value] : reply.headers) {
    if (n == name) return value;
  }
  return "-";
}

Reply unauthorized(std::string_view why, bool token_given) {
  // RFC 6750, 3: the error code only when a token was sent.
  return problem(401, why).with("WWW-Authenticate", token_given
                                                        ? "Bearer realm=\"sluice\", error=\"invalid_token\""
                                                        : "Bearer realm=\"sluice\"");
}

void audit(const Call& call, const Reply& reply, EventLog& events) {
  const std::string revision = header_of(reply, "Sluice-Revision"),
                    outcome = header_of(reply, "Sluice-Outcome");
  const std::string what = fmt::format("{} {}", call.method, call.path);
  spdlog::info("audit: user={} from={} request={} status={} outcome={} revision={}",
               quoted(call.identity.name), call.remote, quoted(what), reply.status,
               reply.status < 300 ? outcome : "refused", revision);
  if (reply.status < 300 && outcome == "applied") {
    events.add("config_changed", "revision " + revision, fmt::format("{} by {}", what, call.identity.name));
  } else if (reply.status >= 500) {
    events.add("change_failed", what, fmt::format("status {}", reply.status));
  }
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  std::string name(host);
  if (name.starts_with('[')) {
    const auto close = name.find(']');
    if (close == std::string::npos) return false;
    name = name.substr(1, close - 1);
  } else {
    name = name.substr(0, name.find(':'));
  }
  if (name == "localhost") return true;
  const auto a = IpAddr::parse(name);
  return a && a->is_loopback();
}

std::variant<const Route*, Reply> admit(Call& call, const RouteTable& routes, const Tokens& tokens,
                                        bool host_check) {
  if (host_check && !is_loopback_host(call.header("host"))) {
    return problem(421, "this server answers to localhost and the loopback addresses only");
  }
  std::string allowed;
  const Route* route = routes.find(call, allowed);
  if (route != nullptr && route->role == Role::kNone) return route;

  // Before 404 and 405: strangers do not learn what is here.
  const std::string header = call.header("authorization");
  static constexpr std::string_view kScheme = "Bearer ";
  if (header.empty()) return unauthorized("a token is needed: Authorization: Bearer ...", false);
  const auto identity = header.starts_with(kScheme)
                            ? tokens.identify(std::string_view(header).substr(kScheme.size()))
                            : std::nullopt;
  if (!identity) return unauthorized("the token is not known", true);
  call.identity = *identity;

  if (route == nullptr && allowed.empty())
    return problem(404, "there is nothing at this path; see /api/v1/openapi.json");
  if (route == nullptr) return problem(405, "this path allows " + allowed).with("Allow", allowed);
  if (identity->role < route->role) {
    spdlog::info("audit: user={} from={} request={} status=403 outcome=refused revision=-",
                 quoted(identity->name), call.remote, quoted(call.method + " " + call.path));
    return problem(403, fmt::format("\"{}\" is {}, this needs {}", identity->name, to_string(identity->role),
                                    to_string(route->role)));
  }
  return route;
}

Reply run(const Route& route, const Call& call, EventLog& events) {
  Reply reply;
  try {
    reply = route.handler(call);
  } catch (const std::exception& e) {
    // The words of an exception may quote the request, and with it a private key: only its type is told.
    spdlog::error("{} {}: {}", call.method, quoted(call.path), typeid(e).name());
    reply = problem(500, "the request could not be handled; nothing is known to have changed");
  }
  if (route.role == Role::kAdmin) audit(call, reply, events);
  return reply;
}

}  // namespace sluice::mgmt::rest
