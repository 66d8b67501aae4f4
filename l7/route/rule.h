// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/ip.h"
#include "dataplane/base/clock.h"

namespace sluice::l7 {

enum class HostKind : std::uint8_t {
  kAny,            ///< No host condition.
  kExact,          ///< "shop.example"
  kWildcardOne,    ///< "*.shop.example": exactly one label (Kubernetes)
  kWildcardMany,   ///< "*.shop.example": one label or more (CLB)
};
struct HostCondition {
  HostKind kind = HostKind::kAny;
  std::string value;  ///< Lower case. For wildcards without the "*": ".shop.example".
};

enum class PathKind : std::uint8_t {
  kAny,
  kExact,         ///< Whole path, case-sensitive.
  kPrefix,        ///< Element-wise (Kubernetes): /foo and /foo/ match /foo, /foo/, /foo/x; not /foobar.
  kStringPrefix,  ///< CLB.
  kRegex,         ///< Hyperscan expression, anchored at the start.
};
struct PathCondition {
  PathKind kind = PathKind::kAny;
  std::string value;
  bool ignore_case = false;  ///< kRegex only.
};

/// A further condition on one header, query parameter, cookie, the method or the source. Values are alternatives (OR);
/// conditions of a rule are joined by AND.
struct ValueCondition {
  enum class Kind : std::uint8_t { kHeader, kQuery, kCookie, kMethod, kSource } kind = Kind::kHeader;
  std::string name;                 ///< Header (any case), query key or cookie name.
  std::vector<std::string> values;  ///< Empty: present is enough.
  std::vector<IpPrefix> sources;    ///< kSource.
};

struct WeightedGroup {
  GroupSlot group;
  std::uint16_t weight = 100;
};
struct ForwardAction {
  std::vector<WeightedGroup> groups;  ///< At least one.
};
struct RedirectAction {
  std::uint16_t status = 301;  ///< 301, 302, 303, 307, 308
  // Empty: the request's own. `path` and `query` may hold ${path}, ${query}, ${host}.
  std::string scheme, host, path, query;
  std::uint16_t port = 0;  ///< 0: the scheme's default.
};
struct FixedResponseAction {
  std::uint16_t status = 200;
  std::string content_type = "text/plain";
  std::string body;
};
using Action = std::variant<ForwardAction, RedirectAction, FixedResponseAction>;

/// One rule, immutable, shared by all routers that hold it. Hosts are alternatives, paths too.
struct Rule {
  std::string id;
  std::uint32_t priority = 1000;  ///< Smaller first.
  std::uint64_t age = 0;          ///< Last tie-break, smaller first (older).
  std::vector<HostCondition> hosts;  ///< Empty: any.
  std::vector<PathCondition> paths;  ///< Empty: any.
  std::vector<ValueCondition> conditions;
  Action action;
};

}  // namespace sluice::l7
