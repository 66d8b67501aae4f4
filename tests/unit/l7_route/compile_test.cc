// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <ctime>
#include <thread>

#include "tests/unit/l7_route/rules.h"

namespace sluice::l7::route::test {

std::uint64_t allocations();  // Of this thread so far.

namespace {

std::shared_ptr<const Router> compile(Rules rules, std::vector<RuleError>& errors,
                                      const Router* previous = nullptr) {
  return Router::compile(std::move(rules), Order::kSpecific, previous, errors);
}

TEST(Compile, ABadExpressionIsNamedAndTheOtherRulesWork) {
  std::vector<RuleError> errors;
  const auto router = compile({rule("bad", "a", regex("/x(")), rule("good", "a", regex("/x[0-9]")),
                               rule("literal", "a", prefix("/"))},
                              errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].rule_id, "bad");
  EXPECT_EQ(errors[0].field, "paths[0].value");
  EXPECT_NE(errors[0].message.find("parenthesis"), std::string::npos) << errors[0].message;
  EXPECT_EQ(router->rules(), 2u);
  Scratch scratch;
  ASSERT_TRUE(router->prepare(scratch));
  RequestView request{"a", "/x1", {}, "GET", nullptr, {}};
  EXPECT_EQ(router->match(request, scratch)->id, "good");
  request.path = "/x(";
  EXPECT_EQ(router->match(request, scratch)->id, "literal");
}

TEST(Compile, TheAnchorDoesNotMakeABadExpressionGood) {
  std::vector<RuleError> errors;
  compile({rule("bad", "", regex("/a)|(/b"))}, errors);
  EXPECT_EQ(errors.size(), 1u);
}

TEST(Compile, WhatHyperscanCannotDoIsNamedToo) {
  std::vector<RuleError> errors;
  compile(
      {rule("back", "", regex("/(a)\\1")), rule("ahead", "", regex("/(?=a)")), rule("ok", "", regex("/a"))},
      errors);
  ASSERT_EQ(errors.size(), 2u);
  for (const RuleError& e : errors) EXPECT_FALSE(e.message.empty());
}

TEST(Compile, ARuleWithOneBadPathIsLeftOutWhole) {
  Rule r;
  r.id = "half";
  r.paths = {exact("/ok"), regex("[")};
  std::vector<RuleError> errors;
  const auto router = compile({std::make_shared<const Rule>(r)}, errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].field, "paths[1].value");
  EXPECT_EQ(router->rules(), 0u);
}

TEST(Compile, WrongLiteralsHostsAndConditionsAreNamed) {
  Rule r;
  r.id = "r";
  r.hosts = {
      {HostKind::kExact, ""}, {HostKind::kWildcardOne, "example"}, {HostKind::kExact, std::string(256, 'a')}};
  r.paths = {exact("foo"),
             prefix(""),
             string_prefix("/%4"),
             exact("/a%00"),
             exact("/" + std::string(kMaxPath, 'a')),
             regex(""),
             regex(std::string(ExpressionSet::kMaxLength + 1, 'a'))};
  r.conditions = {header(""), {ValueCondition::Kind::kSource, "", {}, {}}};
  std::vector<RuleError> errors;
  compile({std::make_shared<const Rule>(r)}, errors);
  std::vector<std::string> fields;
  for (const RuleError& e : errors) fields.push_back(e.field);
  EXPECT_EQ(fields,
            (std::vector<std::string>{"hosts[0].value", "hosts[1].value", "hosts[2].value", "paths[0].value",
                                      "paths[1].value", "paths[2].value", "paths[3].value", "paths[4].value",
                                      "paths[5].value", "conditions[0].name", "conditions[1].sources"}));
}

TEST(Compile, LiteralsAreBroughtToTheFormOfNormalPaths) {
  Routed r({rule("e", "", exact("/%61/../b%2fc")), rule("p", "", prefix("/%7euser")),
            rule("s", "", string_prefix("/files/."))});
  EXPECT_EQ(r("h", "/b%2Fc"), "e");
  EXPECT_EQ(r("h", "/~user/x"), "p");
  EXPECT_EQ(r("h", "/files/.hidden"), "s");
  EXPECT_EQ(r("h", "/files/x"), "-");
}

TEST(Compile, HostsOfRulesInUpperCaseWorkToo) {
  Routed r({rule("e", "Shop.Example", any_path())});
  EXPECT_EQ(r("shop.example", "/"), "e");
}

TEST(Compile, AHostWithTheSameExpressionsKeepsItsDatabase) {
  Routed first(
      {rule("r1", "a", regex("/a[0-9]")), rule("r2", "b", regex("/b[0-9]")), rule("l", "a", exact("/x"))});
  // Host a: another literal and another priority. Host b: another expression.
  Routed second({rule("r1", "a", regex("/a[0-9]"), {.priority = 5}), rule("r2", "b", regex("/b[0-9]")),
                 rule("r3", "b", regex("/c[0-9]")), rule("l", "a", exact("/y"))},
                Order::kSpecific, first.router.get());
  ASSERT_NE(first.compiled().expressions_of(host("a")), nullptr);
  EXPECT_EQ(second.compiled().expressions_of(host("a")), first.compiled().expressions_of(host("a")));
  EXPECT_NE(second.compiled().expressions_of(host("b")), first.compiled().expressions_of(host("b")));
  EXPECT_EQ(second("a", "/a1"), "r1");
  EXPECT_EQ(second("b", "/c1"), "r3");
}

TEST(Compile, TheDatabaseOutlivesTheRouterItCameFrom) {
  auto first = std::make_unique<Routed>(Rules{rule("old", "a", regex("/a[0-9]"))});
  Routed second({rule("new", "a", regex("/a[0-9]"))}, Order::kSpecific, first->router.get());
  first.reset();
  EXPECT_EQ(second("a", "/a1"), "new");
}

TEST(Compile, ErrorsOfASharedDatabaseAreReportedAgain) {
  std::vector<RuleError> errors;
  const Rules rules = {rule("bad", "a", regex("/x(")), rule("good", "a", regex("/y"))};
  const auto first = compile(rules, errors);
  errors.clear();
  const auto second = compile(rules, errors, first.get());
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].rule_id, "bad");
}

TEST(Compile, RulesLiveAsLongAsTheRouter) {
  std::weak_ptr<const Rule> watch;
  {
    auto one = rule("a", "", any_path());
    watch = one;
    Routed r({std::move(one)});
    EXPECT_FALSE(watch.expired());
    EXPECT_EQ(r("h", "/"), "a");
  }
  EXPECT_TRUE(watch.expired());
}

TEST(Compile, NoRulesIsARouterThatFindsNothing) {
  Routed specific({});
  EXPECT_EQ(specific("h", "/"), "-");
  Routed priority({}, Order::kPriority);
  EXPECT_EQ(priority("h", "/"), "-");
}

TEST(Match, APathThatIsTooLongFindsNothingRatherThanALesserRule) {
  Routed r({rule("guard", "", regex("/.*secret")), rule("all", "", prefix("/"))});
  const std::string path = "/" + std::string(kMaxPath - 1 - 6, 'a') + "secret";
  EXPECT_EQ(r("h", path), "guard");
  EXPECT_EQ(r("h", path + "s"), "-");
}

TEST(Match, OneScratchServesRoutersInTurn) {
  Routed small({rule("s", "", regex("/a"))});
  Rules many;
  for (int i = 0; i < 60; ++i)
    many.push_back(rule("m" + std::to_string(i), "", regex("/m" + std::to_string(i) + "/[a-z]+.*x")));
  Routed large(many);
  Scratch scratch;
  for (int i = 0; i < 3; ++i) {
    RequestView request{"h", "/a", {}, "GET", nullptr, {}};
    ASSERT_TRUE(small.router->prepare(scratch));
    EXPECT_EQ(small.router->match(request, scratch)->id, "s");
    request.path = "/m59/abcx";
    ASSERT_TRUE(large.router->prepare(scratch));
    EXPECT_EQ(large.router->match(request, scratch)->id, "m59");
  }
}

TEST(Match, AScratchOfThePreviousRouterGrowsForWhatIsNew) {
  Rules rules = {rule("a", "a", regex("/a[0-9]"))};
  Routed first(rules);
  for (int i = 0; i < 60; ++i) {
    rules.push_back(rule("m" + std::to_string(i), "b", regex("/m" + std::to_string(i) + "/[a-z]+.*x")));
  }
  Routed second(rules, Order::kSpecific, first.router.get());
  Routed third(rules, Order::kSpecific, second.router.get());
  // One that has seen the previous router, and one that has missed it.
  for (const Routed* next : {&second, &third}) {
    Scratch scratch;
    ASSERT_TRUE(first.router->prepare(scratch));
    ASSERT_TRUE(next->router->prepare(scratch));
    EXPECT_EQ(next->router->match({"b", "/m59/abcx", {}, "GET", nullptr, {}}, scratch)->id, "m59");
    EXPECT_EQ(next->router->match({"a", "/a1", {}, "GET", nullptr, {}}, scratch)->id, "a");
  }
}

TEST(Match, WithoutScratchAnExpressionIsNotPassedBy) {
  Routed r({rule("guard", "", regex("/admin")), rule("all", "", any_path())});
  Scratch unprepared;
  EXPECT_EQ(r.router->match({"h", "/admin", {}, "GET", nullptr, {}}, unprepared), nullptr);
}

TEST(Match, DoesNotAllocate) {
  Routed r({rule("e", "a.example", exact("/x/y")), rule("p", "a.example", prefix("/x")),
            rule("s", "*.example", string_prefix("/s")), rule("r", "a.example", regex("/r[0-9]+/.*")),
            rule("c", "", prefix("/c"),
                 {.conditions = {header("x"),
                                 {ValueCondition::Kind::kQuery, "q", {"a b"}, {}},
                                 {ValueCondition::Kind::kCookie, "k", {"v"}, {}}}})});
  http::FieldList fields;
  fields.add({"X", "1"});
  fields.add({"Cookie", "j=1; k=v"});
  const std::uint64_t before = allocations();
  const Rule* found[6];
  int n = 0;
  const auto ask = [&](std::string_view h, std::string_view p) {
    if (!r.router->prepare(r.scratch)) return;
    found[n++] = r.router->match({h, p, "z&q=a%20b", "GET", &fields, {}}, r.scratch);
  };
  ask("A.example", "/x/y");
  ask("A.example", "/x/y/z");
  ask("b.example", "/sss");
  ask("a.example", "/r17/abc");
  ask("other", "/c/c/c");
  ask("other", "/none");
  EXPECT_EQ(allocations(), before);
  std::string ids;
  for (const Rule* rule : found) ids += rule == nullptr ? "-" : rule->id;
  EXPECT_EQ(ids, "epsrc-");
}

TEST(Match, ThreadsShareARouter) {
  Routed r({rule("r", "", regex("/a[0-9]+b")), rule("p", "", prefix("/"))});
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Scratch scratch;
      if (!r.router->prepare(scratch)) ++wrong;
      for (int i = 0; i < 2000; ++i) {
        const Rule* a = r.router->match({"h", "/a12b", {}, "GET", nullptr, {}}, scratch);
        const Rule* b = r.router->match({"h", "/x", {}, "GET", nullptr, {}}, scratch);
        if (a == nullptr || a->id != "r" || b == nullptr || b->id != "p") ++wrong;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(Match, AHundredThousandRulesAreFoundEach) {
  Rules rules;
  const auto name = [](int i) { return "h" + std::to_string(i / 10) + ".example"; };
  const auto path = [](int i) { return "/api/v" + std::to_string(i % 7) + "/resource-" + std::to_string(i); };
  for (int i = 0; i < 100000; ++i) {
    const PathCondition p = i % 3 == 0   ? exact(path(i))
                            : i % 3 == 1 ? prefix(path(i))
                                         : string_prefix(path(i));
    rules.push_back(rule(std::to_string(i), name(i), p));
  }
  const std::clock_t start = std::clock();  // of the processor, which others may have for long
  Routed r(std::move(rules));
  // Generous, for sanitizers and busy machines; the benchmark says how fast it really is.
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 20.0);
  for (int i = 0; i < 100000; i += 7) ASSERT_EQ(r(name(i), path(i)), std::to_string(i));
}

}  // namespace
}  // namespace sluice::l7::route::test
