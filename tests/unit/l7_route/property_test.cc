// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <sstream>

#include "tests/unit/l7_route/reference_matcher.h"
#include "tests/unit/l7_route/rules.h"

namespace sluice::l7::route::test {
namespace {

/// Draws rules and requests from few letters, so that they meet often.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  template <std::size_t N>
  std::string of(const char* const (&list)[N]) {
    return list[below(N)];
  }

  std::string domain() {
    static constexpr const char* kLabels[] = {"a", "b", "c"};
    std::string out = of(kLabels);
    for (std::uint32_t n = below(3); n > 0; --n) out += "." + of(kLabels);
    return out;
  }
  std::string path() {
    static constexpr const char* kElements[] = {"a", "b", "ab", "aba", ""};
    std::string out;
    for (std::uint32_t n = 1 + below(4); n > 0; --n) out += "/" + of(kElements);
    if (one_in(3)) out += "/";
    return out;
  }
  HostCondition host_condition() {
    static constexpr const char* kKinds[] = {"", "", "*.", "**."};
    return one_in(6) ? HostCondition{} : host(of(kKinds) + domain());
  }
  PathCondition path_condition(bool with_expressions) {
    static constexpr const char* kExpressions[] = {"/a",    "/a.*b",       "/(a|b)+/", "/[ab]/a?", "/a/b|/b",
                                                   "/AB",   "/a{2,3}",     "/.*/$",    ".*",       "/b$",
                                                   "/ab?a", "(/a)(/b)*/a", "//"};
    switch (below(with_expressions ? 5 : 4)) {
      case 0:
        return one_in(3) ? any_path() : exact(path());
      case 1:
        return prefix(path());
      case 2:
        return string_prefix(path());
      case 3:
        return exact(path());
      default:
        return regex(of(kExpressions), one_in(2));
    }
  }
  ValueCondition condition() {
    using Kind = ValueCondition::Kind;
    static constexpr const char* kNames[] = {"x", "y"};
    static constexpr const char* kValues[] = {"1", "2", "3"};
    static constexpr const char* kMethods[] = {"GET", "POST"};
    static constexpr const char* kSources[] = {"10.0.0.0/8", "10.0.0.1", "2001:db8::/32"};
    ValueCondition c;
    c.kind = static_cast<Kind>(below(5));
    if (c.kind == Kind::kSource) {
      c.sources = {*IpPrefix::parse(of(kSources))};
      return c;
    }
    c.name = of(kNames);
    for (std::uint32_t n = below(3); n > 0; --n) c.values.push_back(of(kValues));
    if (c.kind == Kind::kMethod) c.values = {of(kMethods)};
    return c;
  }
  std::shared_ptr<const Rule> rule(std::uint32_t number, bool with_expressions) {
    Rule r;
    r.id = "r" + std::to_string(number);
    r.priority = one_in(3) ? 1000 : 999 + below(4);
    r.age = below(3);
    for (std::uint32_t n = below(3); n > 0; --n) r.hosts.push_back(host_condition());
    for (std::uint32_t n = below(3); n > 0; --n) r.paths.push_back(path_condition(with_expressions));
    if (one_in(2)) {
      for (std::uint32_t n = 1 + below(2); n > 0; --n) r.conditions.push_back(condition());
    }
    return std::make_shared<const Rule>(std::move(r));
  }

 private:
  std::mt19937 random_;
};

struct Request {
  std::string host, path, query, method, x, cookie;
  http::FieldList fields;
  RequestView view;

  explicit Request(Dice& d) {
    host = d.domain();
    if (d.one_in(2)) host += "." + d.domain();
    if (d.one_in(4)) host[0] = static_cast<char>(host[0] - 'a' + 'A');
    path = d.one_in(20) ? "*" : d.path();
    static constexpr const char* kQueries[] = {"", "x=1", "y=2&x=3", "x", "yx=1&y"};
    query = d.of(kQueries);
    static constexpr const char* kMethods[] = {"GET", "POST", "get"};
    method = d.of(kMethods);
    static constexpr const char* kValues[] = {"1", "2", "3", ""};
    static constexpr const char* kCookies[] = {"x=1", "y=1; x=2", "x", "xx=3; y=3"};
    x = d.of(kValues);
    cookie = d.of(kCookies);
    if (d.one_in(2)) fields.add({"X", x});
    if (d.one_in(3)) fields.add({"y", "2"});
    if (d.one_in(2)) fields.add({"Cookie", cookie});
    static constexpr const char* kSources[] = {"10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1"};
    view = {host, path, query, method, &fields, *IpAddr::parse(d.of(kSources))};
  }
};

std::string describe(const Rules& rules) {
  std::ostringstream out;
  for (const auto& r : rules) {
    out << "\n"
        << r->id << " priority " << r->priority << " age " << r->age << " conditions "
        << r->conditions.size();
    for (const auto& h : r->hosts) out << " host " << static_cast<int>(h.kind) << ":" << h.value;
    for (const auto& p : r->paths)
      out << " path " << static_cast<int>(p.kind) << ":" << p.value << (p.ignore_case ? "(i)" : "");
  }
  return out.str();
}

/// Returns how many requests found a rule.
int compare(std::uint32_t seed, std::uint32_t max_rules, bool with_expressions, int requests) {
  Dice dice(seed);
  Rules rules;
  for (std::uint32_t n = 1 + dice.below(max_rules); n > 0; --n)
    rules.push_back(dice.rule(n, with_expressions));
  int found = 0;
  Routed specific(rules, Order::kSpecific);
  Routed priority(rules, Order::kPriority, specific.router.get());
  for (int i = 0; i < requests; ++i) {
    const Request request(dice);
    for (Routed* router : {&specific, &priority}) {
      const Order order = router == &specific ? Order::kSpecific : Order::kPriority;
      const Rule* expected = reference_match(rules, order, request.view);
      const std::string want = expected == nullptr ? "-" : expected->id;
      found += expected != nullptr;
      EXPECT_EQ(router->ask(request.view), want)
          << "seed " << seed << " order " << static_cast<int>(order) << " host " << request.host << " path "
          << request.path << " query " << request.query << describe(rules);
      if (testing::Test::HasFailure()) return found;
    }
  }
  return found;
}

TEST(Property, RouterAndReferenceAgreeOnLiterals) {
  int found = 0;
  for (std::uint32_t seed = 1; seed <= 4000 && !HasFailure(); ++seed) found += compare(seed, 24, false, 12);
  EXPECT_GT(found, 50000) << "the rules hardly ever match: the test shows nothing";
}

TEST(Property, RouterAndReferenceAgreeWithExpressions) {
  int found = 0;
  for (std::uint32_t seed = 1; seed <= 500 && !HasFailure(); ++seed) found += compare(seed, 16, true, 30);
  EXPECT_GT(found, 5000);
}

TEST(Property, OrderOfTheRulesInTheListDoesNotMatter) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    Dice dice(seed);
    Rules rules;
    for (std::uint32_t n = 1 + dice.below(24); n > 0; --n) rules.push_back(dice.rule(n, false));
    Routed forward(rules);
    std::reverse(rules.begin(), rules.end());
    Routed backward(rules);
    for (int i = 0; i < 20; ++i) {
      const Request request(dice);
      ASSERT_EQ(forward.ask(request.view), backward.ask(request.view)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace sluice::l7::route::test
