// SPDX-License-Identifier: Apache-2.0
// Malformed and ambiguous requests: answered, closed, and nothing of them reaches a backend.
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class BadRequestTest : public Bench {};

struct Case {
  std::string_view name;
  std::string_view request;
  int status;
};

constexpr Case kCases[] = {
    {"Content-Length and Transfer-Encoding",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"two Content-Lengths",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
    {"Content-Length with a sign", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd", 400},
    {"space before the colon", "GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", 400},
    {"obs-fold", "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n", 400},
    {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"no Host in 1.1", "GET / HTTP/1.1\r\n\r\n", 400},
    {"chunked not last", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 0},
    {"NUL in the path", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"bad percent-encoding", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {"CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
    {"nonsense", "\x16\x03\x01 garbage\r\n\r\n", 400},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
};

TEST_F(BadRequestTest, IsAnsweredAndTheConnectionClosed) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    FakeStream& client = connect_client();
    client.deliver(c.request);
    poll();
    const std::string got = client.read();
    if (c.status != 0) {
      EXPECT_EQ(status_of(got), c.status);
    } else {
      EXPECT_GE(status_of(got), 400);
    }
    EXPECT_TRUE(client.is_shut);
    EXPECT_EQ(field_of(got, "Connection"), "close");
    EXPECT_EQ(upstreams(), 0u) << "something of it reached a backend";
  }
}

TEST_F(BadRequestTest, WhatFollowsABadRequestIsNeverServed) {
  FakeStream& client = connect_client();
  client.deliver(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
      "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  EXPECT_EQ(status_of(client.read()), 400);
  client.deliver("GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  EXPECT_EQ(client.read(), "");
  EXPECT_EQ(upstreams(), 0u);
  EXPECT_EQ(worker->stats.bad_requests.get(), 1u);
}

TEST_F(BadRequestTest, ABadChunkEndsTheRequestWith400AndTheBackendConnection) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  poll();
  client.deliver("-1\r\n");
  EXPECT_EQ(status_of(client.read()), 400);
  EXPECT_TRUE(client.is_shut);
  EXPECT_TRUE(upstream(0).is_aborted) << "the backend must not take the body for complete";
}

TEST_F(BadRequestTest, ALineOrAHeadAboveTheLimitsIs414Or431) {
  listener->limits.max_line = 100;
  listener->limits.max_head = 300;
  listener->limits.max_fields = 3;
  publish();
  EXPECT_EQ(status_of(ask("GET /" + std::string(200, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n")), 414);
  EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(400, 'a') + "\r\n\r\n")), 431);
  EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n")), 431);
}

TEST_F(BadRequestTest, ABodyAboveTheLimitIs413AtOnceByItsLength) {
  listener->max_body = 10;
  publish();
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n");
  poll();
  EXPECT_EQ(status_of(client.read()), 413);
  EXPECT_TRUE(client.is_shut);
  EXPECT_EQ(upstreams(), 0u);
}

TEST_F(BadRequestTest, AChunkedBodyIs413WhereItCrossesTheLimit) {
  listener->max_body = 10;
  publish();
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n");
  poll();
  EXPECT_EQ(client.read(), "");
  client.deliver("1\r\n0\r\n");
  EXPECT_EQ(status_of(client.read()), 413);
  EXPECT_TRUE(client.is_shut);
  EXPECT_TRUE(upstream(0).is_aborted);
}

TEST_F(BadRequestTest, ABodyOfExactlyTheLimitPasses) {
  listener->max_body = 10;
  publish();
  ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_TRUE(upstream(0).peek().ends_with("0123456789"));
}

TEST_F(BadRequestTest, EmptyLinesBeforeARequestAreNoRequest) {
  FakeStream& client = connect_client();
  client.deliver("\r\n\r\n");
  advance(5s);
  EXPECT_EQ(client.read(), "");
  client.deliver("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  EXPECT_EQ(upstreams(), 1u);
}

TEST_F(BadRequestTest, EmptyLinesDoNotProlongTheIdleTime) {
  FakeStream& client = connect_client();
  for (int i = 0; i < 14; ++i) {
    advance(1s);
    client.deliver("\r\n");
  }
  advance(2s);
  EXPECT_TRUE(client.is_shut);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
