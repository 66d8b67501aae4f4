// SPDX-License-Identifier: Apache-2.0
// A client is led back to the member that served it.
#include <gtest/gtest.h>

#include <set>

#include "l7/proxy/sticky_cookie.h"
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

constexpr std::uint64_t kMark = 0x0123456789abcdef;

http::FieldList cookies(std::initializer_list<std::string_view> values) {
  http::FieldList out;
  for (const std::string_view v : values) out.add({"Cookie", v});
  return out;
}

TEST(StickyCookie, AMarkIsFoundAmongOtherCookies) {
  EXPECT_EQ(mark_in_request(cookies({"a=b; S=0123456789abcdef ;c=d"}), "S", false), kMark);
  EXPECT_EQ(mark_in_request(cookies({"a=b", "S=0123456789ABCDEF"}), "S", false), kMark);
  EXPECT_EQ(mark_in_request(cookies({"S=old; S=0123456789abcdef"}), "S", false), kMark);
  EXPECT_EQ(mark_in_request(cookies({"S=0123456789abcdef~x=y"}), "S", true), kMark);
  EXPECT_EQ(mark_in_request(cookies({"S=0123456789abcdef~"}), "S", true), kMark);
}

TEST(StickyCookie, WhatIsNoMarkIsNone) {
  for (const std::string_view v : {"", "S", "S=", "s=0123456789abcdef", "SS=0123456789abcdef", "S=0123456789abcde",
                                   "S=0123456789abcdef0", "S=0123456789abcdeg", "S=-123456789abcdef", "S=0x23456789abcdef",
                                   "S= 0123456789abcdef", "S=0123456789abcdef~x", "x=S=0123456789abcdef"}) {
    EXPECT_FALSE(mark_in_request(cookies({v}), "S", false)) << v;
  }
  for (const std::string_view v : {"S=0123456789abcdef", "S=~x", "S=0123456789abcde~x", "S=plain~x"})
    EXPECT_FALSE(mark_in_request(cookies({v}), "S", true)) << v;
  EXPECT_FALSE(mark_in_request(http::FieldList(), "S", false));
}

TEST(StickyCookie, ABackendsCookieIsMarkedAndItsMarkTakenAwayAgain) {
  std::string out;
  EXPECT_EQ(with_mark("S=abc; Path=/x; Secure", "S", kMark, out), "S=0123456789abcdef~abc; Path=/x; Secure");
  EXPECT_EQ(with_mark("S=; Max-Age=0", "S", kMark, out), "S=0123456789abcdef~; Max-Age=0");
  EXPECT_EQ(with_mark("T=abc", "S", kMark, out), "T=abc");
  EXPECT_EQ(without_marks("a=b; S=0123456789abcdef~abc; c=d", "S", out), "a=b; S=abc; c=d");
  EXPECT_EQ(without_marks("S=0123456789abcdef~", "S", out), "S=");
  EXPECT_EQ(without_marks("S=0123456789abcdef~a; S=0123456789abcdef~b", "S", out), "S=a; S=b");
  for (const std::string_view v : {"S=abc", "a=b;c=d", "", "S=0123456789abcdef"}) EXPECT_EQ(without_marks(v, "S", out), v);
}

class Sticky : public Bench {
 protected:
  void use(Stickiness::Kind kind, std::uint32_t max_age = 0) {
    group->stickiness = {kind, "S", max_age};
    group->members = {member(1), member(2), member(3)};
    group->by_mark.clear();
    for (std::uint32_t i = 0; i < 3; ++i) {
      group->members[i].mark = kMark + i;
      group->by_mark.emplace_back(kMark + i, i);
    }
    publish();
  }
  /// The answer to a request with this Cookie field; `set` is a field of the member's response.
  std::string get(std::string_view cookie, const std::string& set = "") {
    FakeStream& client = connect_client();
    client.deliver("GET / HTTP/1.1\r\nHost: h\r\n" + (cookie.empty() ? "" : "Cookie: " + std::string(cookie) + "\r\n") + "\r\n");
    poll();
    sent_ = last_upstream().peek();
    last_upstream().deliver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n" + set + "\r\n");
    return client.read();
  }
  const Endpoint& served_by() { return last_upstream().flow().remote; }
  std::string sent_;
};

TEST_F(Sticky, AnInsertedCookieLeadsBackAndIsSentOnce) {
  use(Stickiness::Kind::kInsert);
  const std::string cookie = field_of(get(""), "Set-Cookie");
  EXPECT_TRUE(cookie.starts_with("S=") && cookie.ends_with("; Path=/; HttpOnly")) << cookie;
  const Endpoint first = served_by();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(field_of(get("x=y; " + cookie.substr(0, cookie.find(';'))), "Set-Cookie"), "-");
    EXPECT_EQ(served_by(), first);
  }
}

TEST_F(Sticky, WithoutOrWithAStrangeCookieTheSchedulerChooses) {
  use(Stickiness::Kind::kInsert, 60);
  std::set<Endpoint> seen;
  for (int i = 0; i < 3; ++i) {
    const std::string cookie = field_of(get("S=ffffffffffffffff"), "Set-Cookie");
    EXPECT_TRUE(cookie.ends_with("; Path=/; Max-Age=60; HttpOnly")) << cookie;
    seen.insert(served_by());
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(Sticky, AMemberThatMayNotServeGivesItsClientsUp) {
  use(Stickiness::Kind::kInsert);
  const std::string mine = "S=0123456789abcdef";
  get(mine);
  ASSERT_EQ(served_by(), member(1).address);
  shared->backends.set_health(member(1).slot, BackendTable::Health::kDown);
  EXPECT_NE(field_of(get(mine), "Set-Cookie"), "-");
  EXPECT_NE(served_by(), member(1).address);
  shared->backends.set_health(member(1).slot, BackendTable::Health::kUp);
  get(mine);
  EXPECT_EQ(served_by(), member(1).address);
  group->members[0].weight = 0;
  publish();
  get(mine);
  EXPECT_NE(served_by(), member(1).address) << "drained";
}

TEST_F(Sticky, AMemberThatRefusesIsLeftAndTheCookieFollows) {
  use(Stickiness::Kind::kInsert);
  connector->set(member(1).address, FakeConnector::Mode::kRefuses);
  const std::string cookie = field_of(get("S=0123456789abcdef"), "Set-Cookie");
  EXPECT_NE(served_by(), member(1).address);
  EXPECT_TRUE(cookie.starts_with("S=0123456789abcdf")) << cookie;
}

TEST_F(Sticky, ABackendsOwnCookieIsMarkedOnItsWayOutAndCleanOnItsWayIn) {
  use(Stickiness::Kind::kRewrite);
  const std::string answer = get("", "Set-Cookie: other=1\r\nset-cookie: S=abc; HttpOnly\r\n");
  const Endpoint first = served_by();
  const auto at = answer.find("Set-Cookie: S=");
  ASSERT_NE(at, std::string::npos) << answer;
  const std::string value = answer.substr(at + 12, answer.find(';', at) - at - 12);
  EXPECT_TRUE(value.ends_with("~abc")) << value;
  EXPECT_NE(answer.find("Set-Cookie: other=1\r\n"), std::string::npos);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(field_of(get("a=b; " + value), "Set-Cookie"), "-");
    EXPECT_EQ(served_by(), first);
    EXPECT_EQ(field_of(sent_, "Cookie"), "a=b; S=abc");
  }
}

TEST_F(Sticky, AGroupThatIsNotStickySetsAndReadsNone) {
  EXPECT_EQ(field_of(get("S=0123456789abcdef"), "Set-Cookie"), "-");
  EXPECT_EQ(field_of(sent_, "Cookie"), "S=0123456789abcdef");
}

}  // namespace
}  // namespace sluice::l7::proxy::test
