// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/explain.h"

#include <algorithm>

#include "l7/http/message.h"
#include "l7/route/path.h"

namespace sluice::mgmt {
namespace {

using Explanation = Engine::Explanation;

const char* decision_name(const config::Action& action) {
  if (std::holds_alternative<config::ForwardAction>(action)) return "forward";
  return std::holds_alternative<config::RedirectAction>(action) ? "redirect" : "fixed_response";
}

void describe_action(const config::Config& config, const config::Action& action, Explanation& out) {
  out.decision = decision_name(action);
  if (const auto* forward = std::get_if<config::ForwardAction>(&action)) {
    for (const auto& ref : forward->server_groups) {
      const bool tls = config.server_groups.at(ref.server_group).protocol == "https";
      out.candidates.push_back(ref.server_group + " (weight " + std::to_string(ref.weight) + (tls ? ", TLS)" : ")"));
    }
  }
}

/// "shop.example, *.shop.example and 3 more"
template <class List, class Name>
std::string enumerate(const List& list, Name name) {
  constexpr std::size_t kShown = 3;
  std::string out;
  for (std::size_t i = 0; i < std::min(list.size(), kShown); ++i) out += (i > 0 ? ", " : "") + name(list[i]);
  if (list.size() > kShown) out += " and " + std::to_string(list.size() - kShown) + " more";
  return out;
}

std::string reason_for(const config::Rule& rule, const config::Listener& listener) {
  std::string out = "Rule \"" + rule.id + "\" asks for ";
  out += rule.hosts.empty() ? "any host"
                            : "host " + enumerate(rule.hosts, [](const auto& h) { return h.value; });
  out += rule.paths.empty()
             ? " and any path"
             : " and path " + enumerate(rule.paths, [](const auto& p) { return p.type + " " + p.value; });
  if (!rule.conditions.empty()) {
    out += " with " + enumerate(rule.conditions, [](const auto& c) {
             return c.name.empty() ? c.type : c.type + " " + c.name;
           });
  }
  out += listener.rule_order == "priority"
             ? ", and of the rules that match the request it has the smallest priority (" +
                   std::to_string(rule.priority) +
                   "); ties go to the more specific host and path, then the older rule."
             : ", and of the rules that match the request it has the most specific host, then the smallest "
               "priority (" +
                   std::to_string(rule.priority) +
                   "), then the longest path, then the most conditions, then the age.";
  return out;
}

const config::LoadBalancer* load_balancer_at(const config::Config& config, const IpAddr& vip) {
  for (const auto& [id, lb] : config.load_balancers) {
    for (const std::string& text : lb.addresses) {
      if (IpAddr::parse(text) == vip) return &lb;
    }
  }
  return nullptr;
}

const config::Listener* listener_at(const config::Config& config, const std::string& load_balancer,
                                    std::uint16_t port) {
  for (const auto& [id, listener] : config.listeners) {
    if (listener.load_balancer == load_balancer && listener.port == port) return &listener;
  }
  return nullptr;
}

/// `path` is the normal form, as the proxy gives it to the router.
const l7::Rule* match(const l7::route::Router& router, const Engine::ExplainRequest& request, std::string_view path) {
  l7::http::FieldList fields;
  for (const auto& [name, value] : request.headers) fields.add({name, value});
  l7::route::Scratch scratch;
  if (!router.prepare(scratch)) return nullptr;
  return router.match({request.host, path, request.query, request.method, &fields, request.source},
                      scratch);
}

}  // namespace

Explanation explain_request(const compile::Program& program, const Engine::ExplainRequest& request) {
  const config::Config& config = *program.config;
  Explanation out;
  out.decision = "no_listener";
  const config::LoadBalancer* lb = load_balancer_at(config, request.vip.address);
  if (lb == nullptr) {
    out.reason = request.vip.address.to_string() + " is not an address of any load balancer.";
    return out;
  }
  out.load_balancer = lb->id;
  const config::Listener* listener = listener_at(config, lb->id, request.vip.port);
  if (listener == nullptr) {
    out.reason =
        "Load balancer \"" + lb->id + "\" has no listener on port " + std::to_string(request.vip.port) + ".";
    return out;
  }
  out.listener = listener->id;
  const auto& parts = program.listeners.at(listener->id);
  // No source is named: then it is one that may connect.
  if (parts.listener->sources != nullptr && !request.source.is_unspecified() && !parts.listener->sources->admits(request.source)) {
    out.decision = "denied";
    out.reason = "The access control lists of listener \"" + listener->id + "\" keep " +
                 request.source.to_string() + " out: its connections are dropped.";
    return out;
  }
  std::vector<char> buffer(l7::route::kMaxPath);
  const bool passes = listener->protocol == "tls_passthrough";  // There is no path to be seen.
  const l7::route::NormalPath normal = l7::route::normalise_path(passes ? std::string_view("/") : request.path, buffer);
  if (normal.error != l7::route::PathError::kNone) {
    out.decision = "bad_request";
    out.reason = "The path is refused before any rule is asked: it is too long, not absolute or wrongly percent-encoded.";
    return out;
  }
  const l7::Rule* rule =
      parts.listener->router ? match(*parts.listener->router, request, normal.path) : nullptr;
  if (rule != nullptr) {
    const config::Rule& model = config.rules.at(rule->id);
    out.rule = rule->id;
    describe_action(config, model.action, out);
    out.reason = reason_for(model, *listener);
    return out;
  }
  const std::string none = "None of the " + std::to_string(parts.rules.size()) + " rules of listener \"" +
                           listener->id + "\" matches the request, ";
  if (listener->default_action) {
    describe_action(config, *listener->default_action, out);
    out.reason = none + "so its default action decides.";
  } else {
    out.decision = "no_route";
    out.reason = none + "and it has no default action: " +
                 (passes ? "the client gets the TLS alert unrecognized_name." : "the answer is 404.");
  }
  return out;
}

}  // namespace sluice::mgmt
