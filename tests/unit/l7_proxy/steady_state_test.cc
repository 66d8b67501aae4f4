// SPDX-License-Identifier: Apache-2.0
// What a request costs once everything is warm.
#include <chrono>
#include <cstdio>

#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {

std::uint64_t allocations();  // Of this thread so far.

namespace {

class SteadyStateTest : public Bench {
 protected:
  void rounds(FakeStream& client, int n, std::string_view request, std::string_view response) {
    AccessRecord record;
    for (int i = 0; i < n; ++i) {
      client.deliver(request);
      poll();
      upstream(0).skip();
      upstream(0).deliver(response);
      client.skip();
      poll();
      shared->access_logs[0]->pop(record);
    }
  }
};

TEST_F(SteadyStateTest, ARequestOnKeptAliveConnectionsAllocatesNothing) {
  constexpr std::string_view kGet =
      "GET /some/path?with=query HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: a browser of some kind/1.0\r\n"
      "Accept: text/html,application/xhtml+xml\r\nCookie: a=b; c=d\r\n\r\n";
  constexpr std::string_view kPost =
      "POST /form HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const std::string plain =
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3000\r\n\r\n" + std::string(3000, 'x');
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n" +
                              std::string(3000, 'x') + "\r\n0\r\n\r\n";
  FakeStream& client = connect_client();
  for (const auto& [request, response] :
       {std::pair<std::string_view, std::string_view>{kGet, plain}, {kPost, chunked}}) {
    rounds(client, 20, request, response);
    const std::uint64_t before = allocations();
    rounds(client, 100, request, response);
    EXPECT_EQ(allocations(), before);
  }
  EXPECT_EQ(upstreams(), 1u);
  EXPECT_EQ(worker->stats.responses[2].get(), 240u);
}

TEST_F(SteadyStateTest, ALocalReplyAllocatesNothing) {
  auto rule = std::make_shared<Rule>();
  rule->id = "r";
  rule->action = RedirectAction{.status = 301, .scheme = "https"};
  rules = {rule};
  publish();
  FakeStream& client = connect_client();
  AccessRecord record;
  std::uint64_t before = 0;
  for (int i = 0; i < 100; ++i) {
    if (i == 20) before = allocations();
    client.deliver(
        "GET /a/path/that/is/longer/than/a/small/string?with=query HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    poll();
    client.skip();
    shared->access_logs[0]->pop(record);
  }
  EXPECT_EQ(allocations(), before);
}

// Not a test of speed: prints the cost of one request through sessions, routing and headers, without TCP,
// when asked to.
TEST_F(SteadyStateTest, PrintsTheTimeOfARequest) {
  constexpr std::string_view kGet = "GET /1k HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: wrk\r\n\r\n";
  const std::string response =
      "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 1024\r\n\r\n" + std::string(1024, 'x');
  FakeStream& client = connect_client();
  rounds(client, 1000, kGet, response);
  const auto start = std::chrono::steady_clock::now();
  constexpr int kRounds = 5000;
  rounds(client, kRounds, kGet, response);
  const auto took = std::chrono::steady_clock::now() - start;
  std::printf("%.0f ns a request\n", std::chrono::duration<double, std::nano>(took).count() / kRounds);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
