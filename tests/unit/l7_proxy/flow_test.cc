// SPDX-License-Identifier: Apache-2.0
// Order, back-pressure and truncation: how bytes flow through an exchange.
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class FlowTest : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
};

TEST_F(FlowTest, PipelinedRequestsAreServedInOrderOneAtATime) {
  FakeStream& client = connect_client();
  client.deliver(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: "
      "h\r\n\r\n");
  for (int i = 1; i <= 3; ++i) {
    poll();
    ASSERT_EQ(upstreams(), 1u) << "the one connection is used again";
    const std::string sent = upstream(0).read();
    EXPECT_TRUE(sent.starts_with("GET /" + std::to_string(i))) << sent;
    EXPECT_EQ(sent.find("GET /", 1), std::string::npos) << "two requests at a time";
    upstream(0).deliver(kOk);
    EXPECT_TRUE(client.read().ends_with("ok"));
  }
  EXPECT_FALSE(client.is_shut);
}

TEST_F(FlowTest, BytesBehindTheRunningRequestKeepTheWindowClosed) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  client.deliver(std::string(FakeStream::kWindow, 'G'));
  EXPECT_EQ(client.window(), 0u);
}

TEST_F(FlowTest, PipelinedRequestsBeforeAHalfCloseAreAllAnswered) {
  FakeStream& client = connect_client();
  client.deliver(std::string(kGet) + std::string(kGet));
  poll();
  client.peer_closes();
  upstream(0).deliver(kOk);
  poll();
  upstream(0).deliver(kOk);
  EXPECT_TRUE(client.is_shut);
  const std::string got = client.read();
  EXPECT_EQ(got, std::string(kOk) + std::string(kOk));
}

TEST_F(FlowTest, AClientThatHalfClosesAfterItsRequestGetsItsAnswer) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  client.peer_closes();
  poll();
  upstream(0).deliver(kOk);
  EXPECT_TRUE(client.read().ends_with("ok"));
  EXPECT_TRUE(client.is_shut);
}

TEST_F(FlowTest, ALocalReplyToEachOfManyPipelinedRequestsStopsAtAClientThatDoesNotRead) {
  rules.clear();
  listener->default_action =
      std::make_shared<Action>(FixedResponseAction{200, "text/plain", std::string(2000, 'x')});
  publish();
  FakeStream& client = connect_client();
  std::string many;
  for (int i = 0; i < 200; ++i) many += kGet;
  client.deliver(many);
  poll();
  EXPECT_LT(client.largest_queue, FakeStream::kSendBound + 4000);
  std::size_t got = 0;
  for (int i = 0; i < 200 && got < 200 * 2000; ++i) {
    got += client.read().size();
    poll();
  }
  EXPECT_GT(got, 200u * 2000);
}

TEST_F(FlowTest, ADownloadToASlowClientIsHeldBackAtTheBackend) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  constexpr std::size_t kTotal = 4 * 1024 * 1024;
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
  std::size_t sent = 0, got = body_of(client.read()).size();
  while (got < kTotal) {
    while (sent < kTotal && upstream(0).window() > 0) {
      const std::size_t n = std::min({upstream(0).window(), kTotal - sent, std::size_t{1400}});
      upstream(0).deliver(std::string(n, 'd'));
      sent += n;
    }
    ASSERT_LE(sent - got, 3 * FakeStream::kWindow) << "more on its way than the windows allow";
    const std::size_t n = client.read(10'000).size();
    ASSERT_GT(n, 0u) << "stuck at " << got;
    got += n;
  }
  poll();
  EXPECT_EQ(worker->pool.idle(), 1u);
}

TEST_F(FlowTest, AnUploadToASlowBackendIsHeldBackAtTheClient) {
  constexpr std::size_t kTotal = 4 * 1024 * 1024;
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
  poll();
  std::size_t sent = 0, got = body_of(upstream(0).read()).size();
  while (got < kTotal) {
    while (sent < kTotal && client.window() > 0) {
      const std::size_t n = std::min({client.window(), kTotal - sent, std::size_t{1400}});
      client.deliver(std::string(n, 'u'));
      sent += n;
    }
    ASSERT_LE(sent - got, 3 * FakeStream::kWindow);
    const std::size_t n = upstream(0).read(10'000).size();
    ASSERT_GT(n, 0u) << "stuck at " << got;
    got += n;
  }
  upstream(0).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
  EXPECT_EQ(log().request_bytes, kTotal);
}

TEST_F(FlowTest, AChunkedUploadToASlowBackendIsHeldBackToo) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  poll();
  const std::string chunk = "3e8\r\n" + std::string(1000, 'c') + "\r\n";
  std::size_t chunks = 0;
  while (client.window() >= chunk.size()) {
    client.deliver(chunk);
    ++chunks;
  }
  EXPECT_LT(chunks * chunk.size(), 3 * FakeStream::kWindow);
  while (!upstream(0).read().empty()) {
  }
  client.deliver("0\r\n\r\n");
  EXPECT_TRUE(upstream(0).read().ends_with("0\r\n\r\n"));
}

TEST_F(FlowTest, WhileTheBackendConnectsTheBodyWaitsInTheWindow) {
  connector->set(member(1).address, FakeConnector::Mode::kHangs);
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  poll();
  client.deliver(std::string(client.window(), 'x'));
  EXPECT_EQ(client.window(), 0u);
  upstream(0).open();
  EXPECT_GT(client.window(), 0u);
}

TEST_F(FlowTest, AnEarlyResponseIsForwardedAndTheConnectionClosedAfterIt) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\npart");
  poll();
  upstream(0).deliver("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  const std::string got = client.read();
  EXPECT_EQ(status_of(got), 403);
  EXPECT_EQ(field_of(got, "Connection"), "close");
  EXPECT_TRUE(client.is_shut);
  EXPECT_TRUE(upstream(0).is_aborted) << "no next request behind half of this one";
  client.deliver(std::string(50'000, 'x'));
  EXPECT_FALSE(client.is_aborted);
}

TEST_F(FlowTest, AResponseThatStreamsWhileTheRequestStillDoesIsPassedBothWays) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nab");
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nAB");
  client.deliver("cd");
  upstream(0).deliver("CD");
  client.deliver("ef");
  EXPECT_TRUE(upstream(0).read().ends_with("abcdef"));
  upstream(0).deliver("EF");
  EXPECT_TRUE(client.read().ends_with("ABCDEF"));
  EXPECT_TRUE(client.is_shut);
}

TEST_F(FlowTest, ABackendThatDiesInABodyWithLengthResetsTheClient) {
  for (const bool reset : {false, true}) {
    FakeStream& client = connect_client();
    client.deliver(kGet);
    poll();
    FakeStream& up = last_upstream();
    up.deliver("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
    if (reset)
      up.closes(l4::CloseReason::kPeerReset);
    else
      up.peer_closes();
    EXPECT_TRUE(client.is_aborted);
    const AccessRecord record = log();
    EXPECT_EQ(record.status, 200);
    EXPECT_EQ(record.error.view(), "upstream_closed_in_body");
    EXPECT_EQ(record.response_bytes, 5u);
    poll();
  }
}

TEST_F(FlowTest, ABackendThatDiesInAChunkedBodyNeverGivesTheLastChunk) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
  upstream(0).peer_closes();
  EXPECT_TRUE(client.is_aborted);
  EXPECT_EQ(client.peek().find("0\r\n\r\n"), std::string::npos);
}

TEST_F(FlowTest, AResetIsNoEndOfABodyThatEndsWithTheConnection) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\n\r\nabcde");
  upstream(0).closes(l4::CloseReason::kPeerReset);
  EXPECT_TRUE(client.is_aborted);
}

TEST_F(FlowTest, WhatABackendSentBeforeItDiedIsCompleteWhenItsLengthSaysSo) {
  // The client reads slowly; the backend has sent all, and is gone before the client has read it.
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  constexpr std::size_t kTotal = 120'000;
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
  upstream(0).deliver(std::string(60'000, 'x'));
  upstream(0).deliver(std::string(10'000, 'x'));
  upstream(0).deliver(std::string(50'000, 'x'));
  upstream(0).closes(l4::CloseReason::kPeerReset);
  EXPECT_FALSE(client.is_aborted);
  std::string got = client.read(40'000);
  got += client.read();
  got += client.read();
  EXPECT_EQ(body_of(got).size(), kTotal);
  EXPECT_FALSE(client.is_aborted);
}

TEST_F(FlowTest, ABadChunkFromTheBackendIs502BeforeAndAResetAfterTheHead) {
  FakeStream& first = connect_client();
  first.deliver(kGet);
  poll();
  last_upstream().deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  EXPECT_EQ(status_of(first.read()), 502);
  FakeStream& second = connect_client();
  second.deliver(kGet);
  poll();
  last_upstream().deliver("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  last_upstream().deliver("zz\r\n");
  EXPECT_TRUE(second.is_aborted);
}

TEST_F(FlowTest, AClientThatLeavesInItsBodyAbortsTheBackend) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab");
  poll();
  client.peer_closes();
  EXPECT_TRUE(upstream(0).is_aborted);
  EXPECT_TRUE(client.is_aborted);
  EXPECT_EQ(log().status, 0);
}

TEST_F(FlowTest, AClientThatIsResetAbortsTheBackend) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  client.closes(l4::CloseReason::kPeerReset);
  EXPECT_TRUE(upstream(0).is_aborted);
  const AccessRecord record = log();
  EXPECT_EQ(record.status, 0);
  EXPECT_EQ(record.error.view(), "client_closed");
  EXPECT_EQ(worker->stats.responses[0].get(), 1u);
}

TEST_F(FlowTest, TheLastRequestAllowedOnAConnectionIsToldSo) {
  listener->max_requests_per_connection = 2;
  publish();
  FakeStream& client = connect_client();
  for (int i = 0; i < 2; ++i) {
    client.deliver(kGet);
    poll();
    upstream(0).deliver(kOk);
    EXPECT_EQ(field_of(client.read(), "Connection"), i == 0 ? "-" : "close");
    poll();
  }
  EXPECT_TRUE(client.is_shut);
}

TEST_F(FlowTest, ATrustedProxyInFrontKeepsItsForwardedFields) {
  listener->trust_forwarded = true;
  publish();
  ask("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: "
      "2.2.2.2\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: shop\r\nX-Forwarded-Port: 443\r\nX-Real-IP: 1.1.1.1\r\n\r\n");
  const std::string sent = upstream(0).peek();
  EXPECT_EQ(field_of(sent, "X-Forwarded-For"), "1.1.1.1, 2.2.2.2, 198.51.100.7");
  EXPECT_EQ(field_of(sent, "X-Forwarded-Proto"), "https");
  EXPECT_EQ(field_of(sent, "X-Forwarded-Host"), "shop");
  EXPECT_EQ(field_of(sent, "X-Forwarded-Port"), "443");
  EXPECT_EQ(field_of(sent, "X-Real-IP"), "1.1.1.1");
}

TEST_F(FlowTest, OnlyTheForwardedFieldsThatAreAskedForAreSent) {
  const std::string_view request =
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: ftp\r\nX-Real-IP: 1.1.1.1\r\n"
      "X-Forwarded-Client-Srcport: 1\r\n\r\n";
  const auto sent = [&] {
    ask(request);
    return last_upstream().peek();
  };
  const std::string by_default = sent();
  EXPECT_EQ(field_of(by_default, "X-Forwarded-Client-Srcport"), "-");
  listener->forwarded_fields = kForwardPort | kForwardClientPort;
  publish();
  const std::string some = sent();
  for (const char* name : {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP"})
    EXPECT_EQ(field_of(some, name), "-") << name;
  EXPECT_EQ(field_of(some, "X-Forwarded-Port"), "80");
  EXPECT_EQ(field_of(some, "X-Forwarded-Client-Srcport"), "40001") << "the second client of the bench";
}

TEST_F(FlowTest, ARequestIdIsMadeUnlessAUsableOneIsGiven) {
  ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string made = field_of(upstream(0).peek(), "X-Request-ID");
  EXPECT_EQ(made.size(), 32u);
  ask("GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: <script>\r\n\r\n");
  EXPECT_EQ(field_of(upstream(1).peek(), "X-Request-ID").size(), 32u);
  EXPECT_NE(field_of(upstream(1).peek(), "X-Request-ID"), made);
  ask("GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: " + std::string(65, 'a') + "\r\n\r\n");
  EXPECT_EQ(field_of(upstream(2).peek(), "X-Request-ID").size(), 32u);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
