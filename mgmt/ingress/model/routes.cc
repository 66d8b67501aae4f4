// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/routes.h"

#include "dataplane/base/ascii.h"
#include "mgmt/config/bounds.h"
#include "mgmt/config/names.h"
#include "mgmt/ingress/model/ids.h"

namespace sluice::mgmt::ingress {
namespace {

config::Action forward_to(std::string group) { return config::ForwardAction{{{std::move(group), 100}}}; }

config::Action not_found() {
  return config::FixedResponseAction{404, "text/plain; charset=utf-8", "404 Not Found\n"};
}

/// One host and path of an Ingress, in the appliance's terms.
struct Route {
  std::string host, type, path;
  auto operator<=>(const Route&) const = default;
};

/// The appliance's type of match; empty: there is no such path type.
std::string match_type(const std::string& path_type) {
  if (path_type == "Exact") return "exact";
  // The controller may choose for ImplementationSpecific; API servers before v1 leave the type out.
  if (path_type == "Prefix" || path_type == "ImplementationSpecific" || path_type.empty()) return "prefix";
  return {};
}

bool is_path(const std::string& path) {
  return path.starts_with('/') && path.size() <= config::kMaxPath && config::is_visible_ascii(path) &&
         path.find_first_of("?#") == path.npos;
}

class RouteBuilder {
 public:
  RouteBuilder(const Options& options, Backends& backends, Routes& routes, Translation& out, Notices& notices)
      : options_(options), backends_(backends), routes_(routes), out_(out), notices_(notices) {}

  /// The oldest default backend is that of all.
  void add_default(const Candidate& c) {
    if (!c.ingress->default_backend) return;
    if (routes_.default_action) {
      notices_.warn(key(c), "Conflict",
                    "The default backend is that of the older Ingress " + default_owner_.text() + ".");
      return;
    }
    default_owner_ = key(c);
    if (auto action = action_for(c, *c.ingress->default_backend)) routes_.default_action = std::move(*action);
  }

  void add_rules(const Candidate& c) {
    for (const IngressRule& rule : c.ingress->rules) {
      const std::string host = ascii_lower(rule.host);
      if (!host.empty() && !config::is_host_pattern(host)) {
        notices_.warn(key(c), "InvalidHost",
                      "\"" + rule.host.substr(0, 253) + "\" is no host name; its rules are left out.");
        continue;
      }
      if (rule.paths.empty()) add(c, {host, "prefix", "/"}, own_default(c));
      for (const IngressPath& path : rule.paths) add_path(c, host, path);
    }
  }

 private:
  static const ObjectKey& key(const Candidate& c) { return c.ingress->meta.key; }

  /// None: the backend is of a kind that is not known; what no rule matches goes to the default.
  std::optional<config::Action> action_for(const Candidate& c, const Backend& backend) {
    if (!backend.service.empty()) return forward_to(backends_.group_for(*c.ingress, backend, c.settings));
    notices_.warn(key(c), "UnsupportedBackend",
                  "Backend " + (backend.resource.empty() ? "without a Service" : backend.resource) +
                      " is no Service; its requests go to the default backend.");
    return std::nullopt;
  }

  /// Of a host without paths: the Ingress' own default backend, else that of all.
  config::Action own_default(const Candidate& c) {
    if (c.ingress->default_backend) {
      if (auto action = action_for(c, *c.ingress->default_backend)) return *action;
    }
    return routes_.default_action.value_or(not_found());
  }

  void add_path(const Candidate& c, const std::string& host, const IngressPath& path) {
    const Route route{host, match_type(path.type), path.path.empty() ? "/" : path.path};
    if (route.type.empty() || !is_path(route.path)) {
      notices_.warn(key(c), "InvalidPath",
                    "Path \"" + path.path.substr(0, 200) + "\" of type \"" + path.type.substr(0, 80) +
                        "\" is left out.");
      return;
    }
    if (const auto owner = owners_.find(route); owner != owners_.end())
      return conflict(c, route, owner->second);
    add(c, route, action_for(c, path.backend).value_or(routes_.default_action.value_or(not_found())));
  }

  void conflict(const Candidate& c, const Route& route, const ObjectKey& owner) {
    notices_.warn(key(c), "Conflict",
                  "Host \"" + route.host + "\" with path " + route.path.substr(0, 200) + " (" + route.type +
                      ") belongs to " +
                      (owner == key(c) ? "an earlier rule of this Ingress."
                                       : "the older Ingress " + owner.text() + "."));
  }

  void add(const Candidate& c, const Route& route, const config::Action& action) {
    const auto [owner, first] = owners_.try_emplace(route, key(c));
    if (!first) return conflict(c, route, owner->second);
    const std::string hash = short_hash(route.host + "\n" + route.type + "\n" + route.path);
    const std::string id = make_id({options_.cluster, key(c).ns, key(c).name, hash});
    for (const std::string& listener : routes_.listeners) {
      config::Rule rule;
      rule.id = id + (&listener == &routes_.listeners[0] ? "_80" : "_443");
      rule.listener = listener;
      if (!route.host.empty()) rule.hosts.push_back({route.host, "one"});
      rule.paths.push_back({route.type, route.path, false});
      rule.action = action;
      rule.managed_by = options_.mark();
      out_.origins.try_emplace("rules/" + rule.id, key(c));
      out_.model.rules.insert_or_assign(rule.id, std::move(rule));
    }
  }

  const Options& options_;
  Backends& backends_;
  Routes& routes_;
  Translation& out_;
  Notices& notices_;
  ObjectKey default_owner_;
  std::map<Route, ObjectKey> owners_;
};

}  // namespace

void add_routes(const Instance& instance, const Options& options, Backends& backends, Routes& routes,
                Translation& out, Notices& notices) {
  RouteBuilder builder(options, backends, routes, out, notices);
  for (const Candidate& c : instance.live) builder.add_default(c);
  for (const Candidate& c : instance.live) builder.add_rules(c);
}

}  // namespace sluice::mgmt::ingress
