// SPDX-License-Identifier: Apache-2.0
// What we answer ourselves.
#include "l7/proxy/local_reply.h"
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class LocalReplyTest : public Bench {
 protected:
  void decide(Action action) {
    auto rule = std::make_shared<Rule>();
    rule->id = "decides";
    rule->action = std::move(action);
    rules = {rule};
    publish();
  }
};

TEST_F(LocalReplyTest, NoRuleAndNoDefaultActionIs404) {
  rules.clear();
  publish();
  const std::string got = ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(status_of(got), 404);
  EXPECT_EQ(field_of(got, "Connection"), "-") << "the connection goes on";
  EXPECT_EQ(body_of(got), "404 Not Found\nno_route\n");
  EXPECT_EQ(worker->stats.no_route.get(), 1u);
}

TEST_F(LocalReplyTest, TheDefaultActionDecidesWhenNoRuleDoes) {
  rules.clear();
  listener->default_action = std::make_shared<Action>(FixedResponseAction{418, "text/plain", "tea"});
  publish();
  EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n")), 418);
}

TEST_F(LocalReplyTest, AFixedResponseIsSentAsConfigured) {
  worker->date = HttpDate([] { return std::int64_t{784111777}; });
  decide(FixedResponseAction{503, "application/json", "{}"});
  EXPECT_EQ(
      ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
      "HTTP/1.1 503 Service Unavailable\r\nServer: sluice\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

TEST_F(LocalReplyTest, HeadGetsTheHeadOfAFixedResponseOnly) {
  decide(FixedResponseAction{200, "text/plain", "hello"});
  const std::string got = ask("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(field_of(got, "Content-Length"), "5");
  EXPECT_EQ(body_of(got), "");
}

TEST_F(LocalReplyTest, AFixed204HasNoBody) {
  worker->date = HttpDate([] { return std::int64_t{784111777}; });
  decide(FixedResponseAction{204, "text/plain", "never"});
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 
            "HTTP/1.1 204 No Content\r\nServer: sluice\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

TEST(HttpDateTest, FormatsLeapDaysAndTheFirstAndLastSecondOfADay) {
  const auto text = [](std::int64_t t) {
    const auto out = HttpDate::format(t);
    return std::string(out.data(), out.size());
  };
  EXPECT_EQ(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(text(951868799), "Tue, 29 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(text(4102444800), "Fri, 01 Jan 2100 00:00:00 GMT");
}

TEST(HttpDateTest, LooksAtTheWallClockOnceASecond) {
  static std::int64_t calls;
  calls = 0;
  HttpDate date([] { return ++calls; });
  Instant now{5s};
  EXPECT_EQ(date.at(now).substr(17, 8), "00:00:01");
  EXPECT_EQ(date.at(now + 999ms).substr(17, 8), "00:00:01");
  EXPECT_EQ(date.at(now + 1s).substr(17, 8), "00:00:02");
}

TEST_F(LocalReplyTest, ABodyLargerThanASegmentIsWhole) {
  const std::string big(10'000, 'x');
  decide(FixedResponseAction{200, "text/plain", big});
  EXPECT_EQ(body_of(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n")), big);
}

TEST_F(LocalReplyTest, ConnectAndTraceAre405WithAllow) {
  const std::string trace = ask("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(status_of(trace), 405);
  EXPECT_NE(field_of(trace, "Allow").find("GET"), std::string::npos);
  EXPECT_EQ(status_of(ask("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n")), 405);
  EXPECT_EQ(upstreams(), 0u);
}

TEST_F(LocalReplyTest, ARedirectKeepsWhatItDoesNotName) {
  decide(RedirectAction{.status = 301, .scheme = "https"});
  const std::string got = ask("GET /a/b?c=d HTTP/1.1\r\nHost: shop.example:80\r\n\r\n");
  EXPECT_EQ(status_of(got), 301);
  EXPECT_EQ(field_of(got, "Location"), "https://shop.example/a/b?c=d");
}

TEST_F(LocalReplyTest, AfterARedirectOfAPostWhoseBodyHasComeTheConnectionGoesOn) {
  decide(RedirectAction{.status = 308, .scheme = "https"});
  FakeStream& client = connect_client();
  client.deliver(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  const std::string got = client.read();
  EXPECT_NE(got.find("Location: https://h/2"), std::string::npos);
  EXPECT_FALSE(client.is_shut);
}

TEST_F(LocalReplyTest, AfterARedirectOfAPostWhoseBodyIsMissingTheConnectionClosesButStillReads) {
  decide(RedirectAction{.status = 308, .scheme = "https"});
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\npart");
  poll();
  EXPECT_EQ(field_of(client.read(), "Connection"), "close");
  EXPECT_TRUE(client.is_shut);
  for (int i = 0; i < 10; ++i) client.deliver(std::string(9000, 'x'));
  EXPECT_FALSE(client.is_aborted) << "a RST would destroy the answer";
  EXPECT_EQ(client.window(), FakeStream::kWindow);
  client.peer_closes();
  poll();
  EXPECT_TRUE(client.is_closed);
}

TEST_F(LocalReplyTest, AClientThatNeverStopsSendingAfterTheAnswerIsResetInTheEnd) {
  decide(FixedResponseAction{403, "text/plain", "no"});
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  poll();
  client.read();
  for (int i = 0; i < 200 && !client.is_aborted; ++i) client.deliver(std::string(9000, 'x'));
  EXPECT_TRUE(client.is_aborted);
}

struct RedirectCase {
  RedirectAction action;
  RedirectSource request;
  std::string_view expected;
};

TEST(RedirectLocation, IsPutTogetherFromActionAndRequest) {
  const RedirectSource request{
      .scheme = "http", .authority = "a.b:8080", .host = "a.b", .path = "/p/q", .query = "x=1"};
  const RedirectSource bare{
      .scheme = "https", .authority = "[2001:db8::1]", .host = "[2001:db8::1]", .path = "/"};
  const RedirectCase cases[] = {
      {{}, request, "http://a.b:8080/p/q?x=1"},
      {{.scheme = "https"}, request, "https://a.b/p/q?x=1"},
      {{.scheme = "https", .port = 8443}, request, "https://a.b:8443/p/q?x=1"},
      {{.scheme = "https", .port = 443}, request, "https://a.b/p/q?x=1"},
      {{.host = "www.${host}"}, request, "http://www.${host}/p/q?x=1"},
      {{.host = "c.d"}, request, "http://c.d/p/q?x=1"},
      {{.path = "/new${path}"}, request, "http://a.b:8080/new/p/q?x=1"},
      {{.path = "/"}, request, "http://a.b:8080/?x=1"},
      {{.query = "from=${host}&${query}"}, request, "http://a.b:8080/p/q?from=a.b&x=1"},
      {{.path = "/${unknown}$"}, request, "http://a.b:8080/${unknown}$?x=1"},
      {{}, bare, "https://[2001:db8::1]/"},
      {{.scheme = "http", .port = 81}, bare, "http://[2001:db8::1]:81/"},
  };
  for (const RedirectCase& c : cases) {
    std::string text = "left over";
    redirect_location(c.action, c.request, text);
    EXPECT_EQ(text, c.expected);
  }
}

}  // namespace
}  // namespace sluice::l7::proxy::test
