// SPDX-License-Identifier: Apache-2.0
#include "l7/route/conditions.h"

#include <gtest/gtest.h>

namespace sluice::l7::route {
namespace {

using Kind = ValueCondition::Kind;

ValueCondition want(Kind kind, std::string name, std::vector<std::string> values) {
  return {kind, std::move(name), std::move(values), {}};
}

class ConditionTest : public testing::Test {
 protected:
  bool query(std::string_view text, std::string name, std::vector<std::string> values) {
    request_.query = text;
    return holds(want(Kind::kQuery, std::move(name), std::move(values)), request_);
  }
  bool cookie(std::string name, std::vector<std::string> values) {
    return holds(want(Kind::kCookie, std::move(name), std::move(values)), request_);
  }
  bool header(std::string name, std::vector<std::string> values) {
    return holds(want(Kind::kHeader, std::move(name), std::move(values)), request_);
  }
  http::FieldList fields_;
  RequestView request_{"h", "/", {}, "GET", &fields_, {}};
};

TEST_F(ConditionTest, HeaderNameInAnyCaseValueExactly) {
  fields_.add({"X-Canary", "always"});
  EXPECT_TRUE(header("x-canary", {"never", "always"}));
  EXPECT_TRUE(header("X-CANARY", {}));
  EXPECT_FALSE(header("x-canary", {"Always"}));
  EXPECT_FALSE(header("x-other", {}));
}

TEST_F(ConditionTest, AnyOfSeveralFieldsOfTheNameMayHold) {
  fields_.add({"X", "1"});
  fields_.add({"x", "2"});
  EXPECT_TRUE(header("x", {"2"}));
}

TEST_F(ConditionTest, WithoutFieldsHeadersAndCookiesFail) {
  request_.fields = nullptr;
  EXPECT_FALSE(header("x", {}));
  EXPECT_FALSE(cookie("x", {}));
}

TEST_F(ConditionTest, QueryParameterByKeyAndValue) {
  EXPECT_TRUE(query("a=1&b=2", "b", {"2"}));
  EXPECT_TRUE(query("a=1&b", "b", {}));
  EXPECT_TRUE(query("a=1&b", "b", {""}));
  EXPECT_TRUE(query("b=1&b=2", "b", {"2"}));
  EXPECT_FALSE(query("ab=2", "b", {}));
  EXPECT_FALSE(query("b=22", "b", {"2"}));
  EXPECT_FALSE(query("", "b", {}));
}

TEST_F(ConditionTest, QueryIsComparedDecoded) {
  EXPECT_TRUE(query("%62=%41+b%2B", "b", {"A b+"}));
  EXPECT_TRUE(query("b=%zz%4", "b", {"%zz%4"}));
  EXPECT_FALSE(query("b=%2541", "b", {"A"}));
}

TEST_F(ConditionTest, CookieByNameOverAllCookieFields) {
  fields_.add({"Cookie", "a=1; session=xyz;b=2"});
  fields_.add({"cookie", "late=3"});
  EXPECT_TRUE(cookie("session", {"xyz"}));
  EXPECT_TRUE(cookie("b", {"2"}));
  EXPECT_TRUE(cookie("late", {}));
  EXPECT_FALSE(cookie("Session", {}));
  EXPECT_FALSE(cookie("session", {"xy"}));
}

TEST_F(ConditionTest, MethodExactly) {
  EXPECT_TRUE(holds(want(Kind::kMethod, "", {"POST", "GET"}), request_));
  EXPECT_FALSE(holds(want(Kind::kMethod, "", {"get"}), request_));
}

TEST_F(ConditionTest, SourceInAnyOfThePrefixes) {
  ValueCondition c{
      Kind::kSource, {}, {}, {*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("2001:db8::/32")}};
  request_.source = *IpAddr::parse("192.0.2.7");
  EXPECT_TRUE(holds(c, request_));
  request_.source = *IpAddr::parse("2001:db8::1");
  EXPECT_TRUE(holds(c, request_));
  request_.source = *IpAddr::parse("198.51.100.1");
  EXPECT_FALSE(holds(c, request_));
}

}  // namespace
}  // namespace sluice::l7::route
