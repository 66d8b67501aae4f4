// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_route/rules.h"

namespace sluice::l7::route::test {
namespace {

TEST(Host, ExactIsComparedInAnyCase) {
  Routed r({rule("a", "shop.example", any_path())});
  EXPECT_EQ(r("shop.example", "/"), "a");
  EXPECT_EQ(r("SHOP.Example", "/"), "a");
  EXPECT_EQ(r("www.shop.example", "/"), "-");
  EXPECT_EQ(r("", "/"), "-");
}

TEST(Host, KubernetesWildcardCoversExactlyOneLabel) {
  Routed r({rule("w", "*.foo.com", any_path())});
  EXPECT_EQ(r("bar.foo.com", "/"), "w");
  EXPECT_EQ(r("BAR.FOO.COM", "/"), "w");
  EXPECT_EQ(r("foo.com", "/"), "-");
  EXPECT_EQ(r(".foo.com", "/"), "-");
  EXPECT_EQ(r("a.b.foo.com", "/"), "-");
}

TEST(Host, ClbWildcardCoversOneLabelOrMore) {
  Routed r({rule("w", "**.foo.com", any_path())});
  EXPECT_EQ(r("bar.foo.com", "/"), "w");
  EXPECT_EQ(r("a.b.foo.com", "/"), "w");
  EXPECT_EQ(r("foo.com", "/"), "-");
  EXPECT_EQ(r("xfoo.com", "/"), "-");
}

TEST(Host, ExactBeforeNarrowerWildcardBeforeWiderBeforeAny) {
  Routed r({rule("any", "", any_path()), rule("wide", "**.example", any_path()),
            rule("narrow", "**.market.example", any_path()), rule("one", "*.market.example", any_path()),
            rule("exact", "info.market.example", any_path())});
  EXPECT_EQ(r("info.market.example", "/"), "exact");
  EXPECT_EQ(r("other.market.example", "/"), "one");
  EXPECT_EQ(r("a.b.market.example", "/"), "narrow");
  EXPECT_EQ(r("market.example", "/"), "wide");
  EXPECT_EQ(r("other.test", "/"), "any");
  EXPECT_EQ(r("", "/"), "any");
}

TEST(Host, DecidesFirstAndDoesNotFallThroughToAnotherHost) {
  Routed r({rule("exact", "a.example", prefix("/api")), rule("wild", "*.example", prefix("/")),
            rule("any", "", prefix("/"))});
  EXPECT_EQ(r("a.example", "/api/x"), "exact");
  EXPECT_EQ(r("a.example", "/other"), "-");
  EXPECT_EQ(r("b.example", "/other"), "wild");
}

TEST(Host, LongerThanAnyNameIsOnlyTheAnyHosts) {
  Routed r({rule("w", "**.example", any_path()), rule("any", "", any_path())});
  const std::string host = std::string(400, 'a') + ".example";
  EXPECT_EQ(r(host, "/"), "any");
  EXPECT_EQ(r(host.substr(400 - 247), "/"), "w");
}

TEST(Path, ExactIsWholeAndCaseSensitive) {
  Routed r({rule("e", "", exact("/foo"))});
  EXPECT_EQ(r("h", "/foo"), "e");
  EXPECT_EQ(r("h", "/foo/"), "-");
  EXPECT_EQ(r("h", "/FOO"), "-");
  EXPECT_EQ(r("h", "/foo/bar"), "-");
}

TEST(Path, PrefixIsByElementsAndIgnoresASlashAtTheEnd) {
  for (const char* value : {"/foo", "/foo/"}) {
    Routed r({rule("p", "", prefix(value))});
    EXPECT_EQ(r("h", "/foo"), "p") << value;
    EXPECT_EQ(r("h", "/foo/"), "p") << value;
    EXPECT_EQ(r("h", "/foo/x"), "p") << value;
    EXPECT_EQ(r("h", "/foobar"), "-") << value;
    EXPECT_EQ(r("h", "/Foo"), "-") << value;
    EXPECT_EQ(r("h", "/"), "-") << value;
  }
}

TEST(Path, PrefixSlashMatchesAll) {
  Routed r({rule("p", "", prefix("/"))});
  for (const char* path : {"/", "/x", "/x/y/", "//"}) EXPECT_EQ(r("h", path), "p") << path;
  EXPECT_EQ(r("h", "*"), "-");
}

TEST(Path, PrefixOfTwoElementsMatchesWithoutItsSlash) {
  Routed r({rule("p", "", prefix("/aaa/bbb/"))});
  EXPECT_EQ(r("h", "/aaa/bbb"), "p");
  EXPECT_EQ(r("h", "/aaa/bbb/ccc"), "p");
  EXPECT_EQ(r("h", "/aaa/bbbxyz"), "-");
  EXPECT_EQ(r("h", "/aaa"), "-");
}

TEST(Path, DuplicateSlashesAreElementsOfTheirOwn) {
  Routed r({rule("p", "", prefix("/foo/bar")), rule("d", "", prefix("/foo//bar"))});
  EXPECT_EQ(r("h", "/foo//bar/x"), "d");
  EXPECT_EQ(r("h", "/foo/bar/x"), "p");
  EXPECT_EQ(r("h", "//foo/bar"), "-");
}

TEST(Path, StringPrefixStopsAnywhereAndTheLongestWins) {
  Routed r({rule("abc", "", string_prefix("/abc")), rule("abcd", "", string_prefix("/abcd")),
            rule("abx", "", string_prefix("/abx")), rule("root", "", string_prefix("/"))});
  EXPECT_EQ(r("h", "/abcde"), "abcd");
  EXPECT_EQ(r("h", "/abce"), "abc");
  EXPECT_EQ(r("h", "/abz"), "root");
  EXPECT_EQ(r("h", "/ab"), "root");
  EXPECT_EQ(r("h", "/abxyz"), "abx");
}

TEST(Path, RegexIsAnchoredAtTheStartAndOpenAtTheEnd) {
  Routed r({rule("r", "", regex("/v[0-9]+/|/w")), rule("i", "", regex("/IMG", true))});
  EXPECT_EQ(r("h", "/v12/x"), "r");
  EXPECT_EQ(r("h", "/w"), "r");
  EXPECT_EQ(r("h", "/x/v12/"), "-");
  EXPECT_EQ(r("h", "/x/w"), "-");
  EXPECT_EQ(r("h", "/V1/"), "-");
  EXPECT_EQ(r("h", "/img/a"), "i");
}

TEST(Path, RegexThatMatchesTheEmptyTextIsAllowed) {
  Routed r({rule("r", "", regex(".*"))});
  EXPECT_EQ(r("h", "/x"), "r");
}

TEST(Precedence, LongerPathFirstThenKind) {
  Routed r({rule("regex", "", regex("/foo")), rule("string", "", string_prefix("/foo")),
            rule("prefix", "", prefix("/foo")), rule("exact", "", exact("/foo")), rule("any", "", any_path()),
            rule("long", "", prefix("/foo/bar"))});
  EXPECT_EQ(r("h", "/foo"), "exact");
  EXPECT_EQ(r("h", "/foo/"), "prefix");
  EXPECT_EQ(r("h", "/foox"), "string");
  EXPECT_EQ(r("h", "/foo/bar/x"), "long");
  EXPECT_EQ(r("h", "/"), "any");
}

TEST(Precedence, RegexOfTheSameLengthStandsBehindStringPrefix) {
  Routed r({rule("regex", "", regex("/f.o")), rule("string", "", string_prefix("/foo"))});
  EXPECT_EQ(r("h", "/foo"), "string");
  EXPECT_EQ(r("h", "/fao"), "regex");
}

TEST(Precedence, TheLongerExpressionWins) {
  Routed r({rule("short", "", regex("/f")), rule("long", "", regex("/f[a-z]*")),
            rule("literal", "", exact("/foo"))});
  EXPECT_EQ(r("h", "/foo"), "long");
}

TEST(Precedence, OfPrefixFooWithAndWithoutSlashTheLongerWins) {
  Routed r({rule("foo", "", prefix("/foo")), rule("foo/", "", prefix("/foo/"))});
  EXPECT_EQ(r("h", "/foo"), "foo/");
  EXPECT_EQ(r("h", "/foo/x"), "foo/");
}

TEST(Precedence, PriorityBeforePathInsideAHost) {
  Routed r(
      {rule("short", "", prefix("/"), {.priority = 1}), rule("long", "", prefix("/foo"), {.priority = 2})});
  EXPECT_EQ(r("h", "/foo"), "short");
}

TEST(Precedence, MoreConditionsBeforeFewerThenTheOlder) {
  http::FieldList fields;
  fields.add({"X-A", "1"});
  fields.add({"x-b", "2"});
  const RequestView request{
      .host = "h", .path = "/p", .query = {}, .method = "GET", .fields = &fields, .source = {}};
  Routed r({rule("none-young", "", prefix("/p"), {.age = 7}), rule("none-old", "", prefix("/p"), {.age = 3}),
            rule("two", "", prefix("/p"), {.age = 9, .conditions = {header("x-a", {"1"}), header("x-b")}}),
            rule("one", "", prefix("/p"), {.age = 1, .conditions = {header("x-a")}})});
  EXPECT_EQ(r.ask(request), "two");
  EXPECT_EQ(r("h", "/p"), "none-old");
}

TEST(Precedence, ACandidateWhoseConditionsFailGivesWayToTheNext) {
  Routed r({rule("canary", "", prefix("/a/b"), {.conditions = {header("x-canary", {"always"})}}),
            rule("main", "", prefix("/a"))});
  http::FieldList fields;
  fields.add({"X-Canary", "never"});
  RequestView request{
      .host = "h", .path = "/a/b/c", .query = {}, .method = "GET", .fields = &fields, .source = {}};
  EXPECT_EQ(r.ask(request), "main");
  fields.clear();
  fields.add({"X-Canary", "always"});
  EXPECT_EQ(r.ask(request), "canary");
}

TEST(PriorityOrder, RanksOverAllHostsThatMatch) {
  Routed r({rule("exact", "a.example", prefix("/"), {.priority = 20}),
            rule("wild", "*.example", prefix("/"), {.priority = 10}),
            rule("any", "", prefix("/x"), {.priority = 5})},
           Order::kPriority);
  EXPECT_EQ(r("a.example", "/x"), "any");
  EXPECT_EQ(r("a.example", "/y"), "wild");
  EXPECT_EQ(r("a.b", "/y"), "-");
}

TEST(PriorityOrder, FallsThroughToAnotherHostAndTiesGoToTheHost) {
  Routed r({rule("exact", "a.example", prefix("/api")), rule("wild", "*.example", prefix("/api/long")),
            rule("any", "", prefix("/"))},
           Order::kPriority);
  EXPECT_EQ(r("a.example", "/api/long"), "exact");
  EXPECT_EQ(r("a.example", "/other"), "any");
}

}  // namespace
}  // namespace sluice::l7::route::test
