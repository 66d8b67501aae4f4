// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <tuple>
#include <vector>

#include "l7/route/router.h"

/// What the router must do, written down as plainly as it can be said: look at every rule. The oracle of the
/// property test; it shares no code with the router, and its expressions are std::regex.
namespace sluice::l7::route::test {

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

inline bool host_fits(const HostCondition& c, const std::string& host) {
  if (c.kind == HostKind::kAny) return true;
  if (c.kind == HostKind::kExact) return host == c.value;
  if (host.size() <= c.value.size() || !host.ends_with(c.value)) return false;
  const std::string before = host.substr(0, host.size() - c.value.size());
  return c.kind == HostKind::kWildcardMany || before.find('.') == std::string::npos;
}

/// Smaller is more specific.
inline std::tuple<int, std::size_t, int> host_order(const HostCondition& c) {
  switch (c.kind) {
    case HostKind::kExact:
      return {0, 0, 0};
    case HostKind::kWildcardOne:
      return {1, 1000 - c.value.size(), 0};
    case HostKind::kWildcardMany:
      return {1, 1000 - c.value.size(), 1};
    case HostKind::kAny:
      break;
  }
  return {2, 0, 0};
}

/// "/a//b/" is a, (empty), b.
inline std::vector<std::string> elements(std::string path) {
  if (path.ends_with('/')) path.pop_back();
  std::vector<std::string> out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    out.push_back(path.substr(at + 1, end - at - 1));
    at = end;
  }
  return out;
}

inline bool path_fits(const PathCondition& c, const std::string& path) {
  switch (c.kind) {
    case PathKind::kAny:
      return true;
    case PathKind::kExact:
      return path == c.value;
    case PathKind::kStringPrefix:
      return path.starts_with(c.value);
    case PathKind::kPrefix: {
      if (!path.starts_with('/')) return false;
      const auto want = elements(c.value), have = elements(path);
      return have.size() >= want.size() && std::equal(want.begin(), want.end(), have.begin());
    }
    case PathKind::kRegex: {
      const auto flags = c.ignore_case ? std::regex::ECMAScript | std::regex::icase : std::regex::ECMAScript;
      return std::regex_search(path, std::regex(c.value, flags), std::regex_constants::match_continuous);
    }
  }
  return false;
}

/// Values of all parts of `text` that read "name=value".
inline std::vector<std::string> named(std::string text, char separator, const std::string& name) {
  std::vector<std::string> out;
  text += separator;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find(separator, at);
    std::string part = text.substr(at, end - at);
    while (part.starts_with(' ')) part.erase(0, 1);
    if (part == name) out.push_back("");
    if (part.starts_with(name + "=")) out.push_back(part.substr(name.size() + 1));
    at = end + 1;
  }
  return out;
}

inline bool condition_holds(const ValueCondition& c, const RequestView& r) {
  using Kind = ValueCondition::Kind;
  std::vector<std::string> have;
  switch (c.kind) {
    case Kind::kSource:
      return std::any_of(c.sources.begin(), c.sources.end(),
                         [&](const IpPrefix& p) { return p.contains(r.source); });
    case Kind::kMethod:
      have.emplace_back(r.method);
      break;
    case Kind::kQuery:
      have = named(std::string(r.query), '&', c.name);
      break;
    case Kind::kHeader:
    case Kind::kCookie:
      for (std::size_t i = 0; r.fields != nullptr && i < r.fields->size(); ++i) {
        const http::Field& f = r.fields->begin()[i];
        if (c.kind == Kind::kHeader && lower(f.name) == lower(c.name)) have.emplace_back(f.value);
        if (c.kind == Kind::kCookie && lower(f.name) == "cookie") {
          for (auto& v : named(std::string(f.value), ';', c.name)) have.push_back(v);
        }
      }
  }
  if (c.values.empty()) return !have.empty();
  return std::any_of(have.begin(), have.end(), [&](const std::string& v) {
    return std::find(c.values.begin(), c.values.end(), v) != c.values.end();
  });
}

inline const Rule* reference_match(const std::vector<std::shared_ptr<const Rule>>& rules, Order order,
                                   const RequestView& request) {
  const std::string host = lower(request.host), path(request.path);
  const std::vector<HostCondition> any_host(1);
  const std::vector<PathCondition> any_path(1);
  const auto hosts_of = [&](const Rule& r) -> const auto& { return r.hosts.empty() ? any_host : r.hosts; };
  const auto paths_of = [&](const Rule& r) -> const auto& { return r.paths.empty() ? any_path : r.paths; };

  // The most specific host that any rule names, whatever else that rule wants.
  std::optional<std::tuple<int, std::size_t, int>> decided;
  for (const auto& rule : rules) {
    for (const HostCondition& h : hosts_of(*rule)) {
      if (host_fits(h, host) && (!decided || host_order(h) < *decided)) decided = host_order(h);
    }
  }
  const auto precedence = [&](const Rule& r, const HostCondition& h, const PathCondition& p) {
    const int kind = p.kind == PathKind::kAny ? 9 : static_cast<int>(p.kind);
    const auto length = p.kind == PathKind::kAny ? 0 : static_cast<long>(p.value.size());
    return std::make_tuple(r.priority, host_order(h), -length, kind, -static_cast<long>(r.conditions.size()),
                           r.age, r.id);
  };
  using Precedence = decltype(precedence(*rules[0], any_host[0], any_path[0]));
  std::optional<Precedence> best;
  const Rule* found = nullptr;
  for (const auto& rule : rules) {
    const bool all_hold = std::all_of(rule->conditions.begin(), rule->conditions.end(),
                                      [&](const ValueCondition& c) { return condition_holds(c, request); });
    if (!all_hold) continue;
    for (const HostCondition& h : hosts_of(*rule)) {
      if (!host_fits(h, host) || (order == Order::kSpecific && host_order(h) != *decided)) continue;
      for (const PathCondition& p : paths_of(*rule)) {
        if (!path_fits(p, path) || (best && *best < precedence(*rule, h, p))) continue;
        best = precedence(*rule, h, p);
        found = rule.get();
      }
    }
  }
  return found;
}

}  // namespace sluice::l7::route::test
