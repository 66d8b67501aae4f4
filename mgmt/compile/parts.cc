// SPDX-License-Identifier: Apache-2.0
#include "mgmt/compile/parts.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "dataplane/base/ascii.h"
#include "mgmt/config/address_range.h"
#include "mgmt/config/fnv1a.h"
#include "mgmt/config/status_range.h"

namespace sluice::mgmt::compile {
namespace {

Duration ms(std::uint32_t n) { return std::chrono::milliseconds(n); }

l7::HealthCheck make_health_check(const config::HealthCheck& model) {
  l7::HealthCheck out;
  out.kind = model.type == "tcp"    ? l7::HealthCheck::Kind::kTcp
             : model.type == "http" ? l7::HealthCheck::Kind::kHttp
                                    : l7::HealthCheck::Kind::kNone;
  out.interval = ms(model.interval_ms);
  out.timeout = ms(model.timeout_ms);
  out.healthy_threshold = model.healthy_threshold;
  out.unhealthy_threshold = model.unhealthy_threshold;
  out.port = static_cast<std::uint16_t>(model.port);
  out.method = model.method;
  out.path = model.path;
  out.host = model.host;
  out.statuses.clear();
  for (const std::string& text : model.statuses) {
    if (const auto range = config::parse_status_range(text)) out.statuses.push_back(*range);
  }
  return out;
}

l7::HostCondition make_host(const config::HostMatch& model) {
  std::string value = ascii_lower(model.value);
  if (!value.starts_with("*.")) return {l7::HostKind::kExact, std::move(value)};
  return {model.wildcard == "many" ? l7::HostKind::kWildcardMany : l7::HostKind::kWildcardOne,
          value.substr(1)};
}

l7::PathCondition make_path(const config::PathMatch& model) {
  const l7::PathKind kind = model.type == "exact"    ? l7::PathKind::kExact
                            : model.type == "prefix" ? l7::PathKind::kPrefix
                            : model.type == "regex"  ? l7::PathKind::kRegex
                                                     : l7::PathKind::kStringPrefix;
  return {kind, model.value, model.ignore_case};
}

l7::ValueCondition make_condition(const config::ValueMatch& model) {
  using Kind = l7::ValueCondition::Kind;
  l7::ValueCondition out;
  out.kind = model.type == "header"   ? Kind::kHeader
             : model.type == "query"  ? Kind::kQuery
             : model.type == "cookie" ? Kind::kCookie
             : model.type == "method" ? Kind::kMethod
                                      : Kind::kSource;
  out.name = model.name;
  if (out.kind != Kind::kSource) {
    out.values = model.values;
    return out;
  }
  for (const std::string& text : model.values) {
    if (const auto prefix = IpPrefix::parse(text)) out.sources.push_back(*prefix);
  }
  return out;
}

std::uint8_t forwarded_fields(const std::vector<std::string>& names) {
  static constexpr std::pair<std::string_view, l7::ForwardedField> kFields[] = {
      {"for", l7::kForwardFor},   {"proto", l7::kForwardProto},    {"host", l7::kForwardHost},
      {"port", l7::kForwardPort}, {"real_ip", l7::kForwardRealIp}, {"client_port", l7::kForwardClientPort}};
  std::uint8_t out = 0;
  for (const auto& [name, field] : kFields) {
    if (std::find(names.begin(), names.end(), name) != names.end()) out |= field;
  }
  return out;
}

/// RFC 6797, 6.1.
std::string make_hsts(const config::Hsts& model) {
  std::string out = "max-age=" + std::to_string(model.max_age_s);
  if (model.include_subdomains) out += "; includeSubDomains";
  if (model.preload) out += "; preload";
  return out;
}

std::string default_cookie(const std::string& group) {
  char name[16];
  std::snprintf(name, sizeof name, "SLUICE%08x", static_cast<unsigned>(config::fnv1a(group) & 0xffffffffu));
  return name;
}

l7::Stickiness make_stickiness(const config::ServerGroup& group) {
  using Kind = l7::Stickiness::Kind;
  const config::Stickiness& model = group.stickiness;
  l7::Stickiness out{Kind::kNone, model.cookie, model.max_age_s};
  if (model.type == "insert") out.kind = Kind::kInsert;
  if (model.type == "rewrite") out.kind = Kind::kRewrite;
  // Two groups of one host must not overwrite each other's.
  if (out.kind != Kind::kNone && out.cookie.empty()) out.cookie = default_cookie(group.id);
  return out;
}

}  // namespace

std::shared_ptr<const l7::ServerGroup> make_group(const config::ServerGroup& model,
                                                  std::shared_ptr<const l7::tls::BackendTls> tls,
                                                  const l7::ServerGroup* previous, Slots& slots,
                                                  const config::Pointer& at, config::ErrorList& errors) {
  auto out = std::make_shared<l7::ServerGroup>();
  out->id = model.id;
  if (previous != nullptr) {
    out->slot = previous->slot;
  } else if (const auto slot = slots.groups.take()) {
    out->slot = GroupSlot{*slot};
  } else {
    errors.add(at, "is one server group too many");
    return nullptr;
  }
  out->scheduler = model.scheduler == "least_connections" ? l7::Scheduler::kLeastConnections
                                                          : l7::Scheduler::kWeightedRoundRobin;
  out->tls = std::move(tls);
  out->health_check = make_health_check(model.health_check);
  out->stickiness = make_stickiness(model);
  out->connect_timeout = ms(model.connect_timeout_ms);
  out->request_timeout = ms(model.request_timeout_ms);
  out->keep_alive = ms(model.keep_alive_ms);
  out->max_idle_per_worker = model.max_idle_per_worker;
  out->connect_attempts = model.connect_attempts;

  std::map<Endpoint, BackendSlot> kept;
  if (previous != nullptr) {
    for (const l7::Member& m : previous->members) kept.emplace(m.address, m.slot);
  }
  for (const config::Member& m : model.members) {
    l7::Member& member = out->members.emplace_back();
    member.id = m.id;
    member.address = {IpAddr::parse(m.address).value_or(IpAddr()), static_cast<std::uint16_t>(m.port)};
    member.weight = m.drain ? std::uint16_t{0} : static_cast<std::uint16_t>(m.weight);
    if (const auto before = kept.find(member.address); before != kept.end()) {
      member.slot = before->second;
    } else if (const auto slot = slots.backends.take()) {
      member.slot = BackendSlot{*slot};
    } else {
      errors.add(at / "members", "must not bring the members of all groups above " +
                                     std::to_string(l7::BackendTable::kCapacity));
      return nullptr;
    }
  }
  if (out->stickiness.kind == l7::Stickiness::Kind::kNone) return out;
  for (std::uint32_t i = 0; i < out->members.size(); ++i) {
    l7::Member& member = out->members[i];
    member.mark = config::fnv1a(member.address.to_string());
    out->by_mark.emplace_back(member.mark, i);
  }
  std::sort(out->by_mark.begin(), out->by_mark.end());
  return out;
}

l7::Action make_action(const config::Action& model, const Program& program) {
  if (const auto* forward = std::get_if<config::ForwardAction>(&model)) {
    l7::ForwardAction out;
    for (const config::WeightedGroupRef& ref : forward->server_groups) {
      out.groups.push_back(
          {program.groups.at(ref.server_group)->slot, static_cast<std::uint16_t>(ref.weight)});
    }
    return out;
  }
  if (const auto* redirect = std::get_if<config::RedirectAction>(&model)) {
    return l7::RedirectAction{static_cast<std::uint16_t>(redirect->status),
                              redirect->scheme,
                              redirect->host,
                              redirect->path,
                              redirect->query,
                              static_cast<std::uint16_t>(redirect->port)};
  }
  const auto& fixed = std::get<config::FixedResponseAction>(model);
  return l7::FixedResponseAction{static_cast<std::uint16_t>(fixed.status), fixed.content_type, fixed.body};
}

std::shared_ptr<const l7::Rule> make_rule(const config::Rule& model, std::uint64_t age,
                                          const Program& program) {
  auto out = std::make_shared<l7::Rule>();
  out->id = model.id;
  out->priority = model.priority;
  out->age = age;
  for (const auto& host : model.hosts) out->hosts.push_back(make_host(host));
  for (const auto& path : model.paths) out->paths.push_back(make_path(path));
  for (const auto& condition : model.conditions) out->conditions.push_back(make_condition(condition));
  out->action = make_action(model.action, program);
  return out;
}

std::shared_ptr<const l7::SourceFilter> make_source_filter(const config::AccessControl& model,
                                                           const config::Config& config) {
  std::vector<l7::SourceFilter::Range> ranges;
  for (const std::string& id : model.access_control_lists) {
    for (const std::string& entry : config.access_control_lists.at(id).entries) {
      if (const auto range = config::AddressRange::parse(entry)) ranges.emplace_back(range->first, range->last);
    }
  }
  using Type = l7::SourceFilter::Type;
  return std::make_shared<l7::SourceFilter>(model.type == "deny" ? Type::kDeny : Type::kAllow, ranges);
}

l7::tls::ClientAuthentication make_client_authentication(const config::ClientAuthentication& model,
                                                         std::shared_ptr<const l7::tls::TrustStore> authorities) {
  using Mode = l7::tls::ClientAuthentication::Mode;
  return {model.mode == "optional" ? Mode::kOptional : Mode::kRequired, std::move(authorities),
          static_cast<int>(model.verify_depth), model.pass_certificate};
}

l7::limits::Limits make_limits(const config::BalancerLimits& model) {
  return {.max_connections = model.max_connections,
          .connections_per_second = model.connections_per_second,
          .requests_per_second = model.requests_per_second};
}

l7::limits::Limits make_limits(const config::ListenerLimits& model) {
  return {.max_connections = model.max_connections,
          .connections_per_second_per_source = model.connections_per_second_per_source,
          .handshakes_per_second = model.handshakes_per_second};
}

l7::Listener make_listener(const config::Listener& model, const Program& program) {
  l7::Listener out;
  out.id = model.id;
  out.port = static_cast<std::uint16_t>(model.port);
  out.protocol = model.protocol == "https"             ? l7::ListenerProtocol::kHttps
                 : model.protocol == "tls_passthrough" ? l7::ListenerProtocol::kTlsPassthrough
                                                       : l7::ListenerProtocol::kHttp;
  if (model.default_action) {
    out.default_action = std::make_shared<const l7::Action>(make_action(*model.default_action, program));
  }
  out.limits = {model.max_line_bytes, model.max_header_bytes, model.max_header_fields};
  out.max_body = model.max_body_bytes;
  out.header_timeout = ms(model.header_timeout_ms);
  out.body_timeout = ms(model.body_timeout_ms);
  out.idle_timeout = ms(model.idle_timeout_ms);
  out.tunnel_timeout = ms(model.tunnel_timeout_ms);
  if (model.hsts) out.strict_transport_security = make_hsts(*model.hsts);
  out.trust_forwarded = model.trust_forwarded_headers;
  out.forwarded_fields = forwarded_fields(model.forwarded_headers);
  out.max_requests_per_connection = model.max_requests_per_connection;
  out.access_log = model.access_log;
  return out;
}

}  // namespace sluice::mgmt::compile
