// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "l7/route/compiled_router.h"
#include "l7/route/router.h"

/// Short ways to write rules and to ask a router, for the tests of this folder.
namespace sluice::l7::route::test {

using Rules = std::vector<std::shared_ptr<const Rule>>;

/// "*.x" is one label, "**.x" one or many, "" any.
inline HostCondition host(std::string_view text) {
  if (text.empty()) return {};
  if (text.starts_with("**.")) return {HostKind::kWildcardMany, std::string(text.substr(2))};
  if (text.starts_with("*.")) return {HostKind::kWildcardOne, std::string(text.substr(1))};
  return {HostKind::kExact, std::string(text)};
}

inline PathCondition exact(std::string value) { return {PathKind::kExact, std::move(value)}; }
inline PathCondition prefix(std::string value) { return {PathKind::kPrefix, std::move(value)}; }
inline PathCondition string_prefix(std::string value) { return {PathKind::kStringPrefix, std::move(value)}; }
inline PathCondition regex(std::string value, bool ignore_case = false) {
  return {PathKind::kRegex, std::move(value), ignore_case};
}
inline PathCondition any_path() { return {}; }

struct Extra {
  std::uint32_t priority = 1000;
  std::uint64_t age = 0;
  std::vector<ValueCondition> conditions = {};
};

inline std::shared_ptr<const Rule> rule(std::string id, std::string_view host_text, PathCondition path,
                                        Extra extra = {}) {
  Rule r;
  r.id = std::move(id);
  r.priority = extra.priority;
  r.age = extra.age;
  r.conditions = std::move(extra.conditions);
  r.hosts = {host(host_text)};
  r.paths = {std::move(path)};
  return std::make_shared<const Rule>(std::move(r));
}

inline ValueCondition header(std::string name, std::vector<std::string> values = {}) {
  return {ValueCondition::Kind::kHeader, std::move(name), std::move(values), {}};
}

/// A router that must compile without errors, with its scratch.
class Routed {
 public:
  explicit Routed(Rules rules, Order order = Order::kSpecific, const Router* previous = nullptr) {
    std::vector<RuleError> errors;
    router = Router::compile(std::move(rules), order, previous, errors);
    for (const RuleError& e : errors) ADD_FAILURE() << e.rule_id << " " << e.field << ": " << e.message;
    EXPECT_TRUE(router->prepare(scratch));
  }
  /// Id of the rule that decides, "-" for none.
  std::string operator()(std::string_view host_text, std::string_view path) {
    return ask(
        {.host = host_text, .path = path, .query = {}, .method = "GET", .fields = nullptr, .source = {}});
  }
  std::string ask(const RequestView& request) {
    const Rule* found = router->match(request, scratch);
    return found == nullptr ? "-" : found->id;
  }
  const CompiledRouter& compiled() const { return dynamic_cast<const CompiledRouter&>(*router); }

  std::shared_ptr<const Router> router;
  Scratch scratch;
};

}  // namespace sluice::l7::route::test
