// SPDX-License-Identifier: Apache-2.0
// Expect: 100-continue, and Upgrade.
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class ContinueTest : public Bench {
 protected:
  static constexpr std::string_view kPost =
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  static constexpr std::string_view k100 = "HTTP/1.1 100 Continue\r\n\r\n";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
};

TEST_F(ContinueTest, TheBackendsHundredIsPassedAndThenTheBody) {
  FakeStream& client = connect_client();
  client.deliver(kPost);
  poll();
  EXPECT_EQ(field_of(upstream(0).peek(), "Expect"), "100-continue");
  upstream(0).deliver(k100);
  EXPECT_EQ(client.read(), k100);
  client.deliver("hello");
  EXPECT_TRUE(upstream(0).read().ends_with("hello"));
  upstream(0).deliver(kOk);
  EXPECT_EQ(client.read(), kOk);
  EXPECT_FALSE(client.is_shut);
}

TEST_F(ContinueTest, ABackendThatSaysNothingDoesNotDeadlockTheClient) {
  FakeStream& client = connect_client();
  client.deliver(kPost);
  poll();
  advance(1001ms);
  EXPECT_EQ(client.read(), k100) << "we answer for it";
  client.deliver("hello");
  EXPECT_TRUE(upstream(0).read().ends_with("hello"));
  upstream(0).deliver(std::string(k100) + std::string(kOk));
  EXPECT_EQ(client.read(), kOk) << "its late 100 is swallowed";
}

TEST_F(ContinueTest, ABackendThatSendsInterimResponsesWithoutEndIsCutOff) {
  FakeStream& client = connect_client();
  client.deliver("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  std::string hints;
  for (int i = 0; i < 40; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
  upstream(0).deliver(hints + std::string(kOk));
  const std::string got = client.read();
  EXPECT_NE(got.find("HTTP/1.1 502"), std::string::npos);
  EXPECT_EQ(got.find("200 OK"), std::string::npos);
}

TEST_F(ContinueTest, AFinalStatusInsteadOf100EndsTheRequestAndTheConnection) {
  FakeStream& client = connect_client();
  client.deliver(kPost);
  poll();
  upstream(0).deliver("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
  const std::string got = client.read();
  EXPECT_EQ(status_of(got), 401);
  EXPECT_EQ(field_of(got, "Connection"), "close") << "nobody knows whether the body will come";
  EXPECT_TRUE(client.is_shut);
}

TEST_F(ContinueTest, AClientThatDoesNotWaitGetsNo100FromUs) {
  FakeStream& client = connect_client();
  client.deliver(std::string(kPost) + "hello");
  poll();
  advance(2s);
  EXPECT_EQ(client.peek(), "");
  upstream(0).deliver(kOk);
  EXPECT_EQ(client.read(), kOk);
}

TEST_F(ContinueTest, After100TheWaitForTheResponseIsTheUsualOne) {
  FakeStream& client = connect_client();
  client.deliver(kPost);
  poll();
  upstream(0).deliver(k100);
  client.deliver("hello");
  client.read();
  advance(59s);
  EXPECT_EQ(client.peek(), "");
  advance(2s);
  EXPECT_EQ(status_of(client.read()), 504);
}

class TunnelTest : public Bench {
 protected:
  static constexpr std::string_view kUpgrade =
      "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
      "k\r\n\r\n";
  static constexpr std::string_view k101 =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n";

  FakeStream& tunnel() {
    FakeStream& client = connect_client();
    client.deliver(kUpgrade);
    poll();
    upstream(0).read();
    upstream(0).deliver(k101);
    EXPECT_EQ(status_of(client.read()), 101);
    return client;
  }
};

TEST_F(TunnelTest, TheOfferAndTheAgreementPassWithTheirFields) {
  FakeStream& client = connect_client();
  client.deliver(kUpgrade);
  poll();
  const std::string sent = upstream(0).read();
  EXPECT_EQ(field_of(sent, "Upgrade"), "websocket");
  EXPECT_EQ(field_of(sent, "Connection"), "upgrade");
  EXPECT_EQ(field_of(sent, "Sec-WebSocket-Key"), "k");
  upstream(0).deliver(k101);
  const std::string got = client.read();
  EXPECT_EQ(field_of(got, "Upgrade"), "websocket");
  EXPECT_EQ(field_of(got, "Connection"), "upgrade");
  EXPECT_EQ(field_of(got, "Sec-WebSocket-Accept"), "a");
}

TEST_F(TunnelTest, BytesPassBothWaysUntouched) {
  FakeStream& client = tunnel();
  client.deliver("GET / HTTP/1.1\r\n");
  EXPECT_EQ(upstream(0).read(), "GET / HTTP/1.1\r\n");
  upstream(0).deliver(std::string("\x81\x00\xff", 3));
  EXPECT_EQ(client.read(), std::string("\x81\x00\xff", 3));
  EXPECT_EQ(client.window(), FakeStream::kWindow);
  EXPECT_EQ(upstream(0).window(), FakeStream::kWindow);
}

TEST_F(TunnelTest, BytesThatCameWithTheHeadsPassToo) {
  FakeStream& client = connect_client();
  client.deliver(std::string(kUpgrade) + "early");
  poll();
  upstream(0).read();
  upstream(0).deliver(std::string(k101) + "frame");
  EXPECT_EQ(upstream(0).read(), "early");
  EXPECT_TRUE(client.read().ends_with("\r\n\r\nframe"));
}

TEST_F(TunnelTest, EachDirectionIsClosedByItself) {
  FakeStream& client = tunnel();
  client.deliver("last words");
  client.peer_closes();
  EXPECT_EQ(upstream(0).read(), "last words");
  EXPECT_TRUE(upstream(0).is_shut);
  EXPECT_FALSE(client.is_shut);
  upstream(0).deliver("reply");
  upstream(0).peer_closes();
  EXPECT_EQ(client.read(), "reply");
  EXPECT_TRUE(client.is_shut);
  poll();
  EXPECT_TRUE(client.is_closed);
  EXPECT_EQ(log().status, 101);
}

TEST_F(TunnelTest, TheBackendMayCloseFirst) {
  FakeStream& client = tunnel();
  upstream(0).peer_closes();
  EXPECT_TRUE(client.is_shut);
  client.deliver("still here");
  EXPECT_EQ(upstream(0).read(), "still here");
  client.peer_closes();
  poll();
  EXPECT_TRUE(upstream(0).is_closed);
}

TEST_F(TunnelTest, AResetOnOneSideIsAResetOnTheOther) {
  FakeStream& client = tunnel();
  upstream(0).closes(l4::CloseReason::kPeerReset);
  EXPECT_TRUE(client.is_aborted);
}

TEST_F(TunnelTest, AClientResetResetsTheBackend) {
  FakeStream& client = tunnel();
  client.closes(l4::CloseReason::kPeerReset);
  EXPECT_TRUE(upstream(0).is_aborted);
}

TEST_F(TunnelTest, SlowReadersHoldTheOtherSideBack) {
  FakeStream& client = tunnel();
  while (client.window() > 0) client.deliver(std::string(std::min<std::size_t>(client.window(), 1400), 'c'));
  while (upstream(0).window() > 0) {
    upstream(0).deliver(std::string(std::min<std::size_t>(upstream(0).window(), 1400), 'u'));
  }
  EXPECT_LE(client.largest_queue, FakeStream::kSendBound + FakeStream::kWindow);
  EXPECT_LE(upstream(0).largest_queue, FakeStream::kSendBound + FakeStream::kWindow);
  while (!upstream(0).read().empty()) {
  }
  while (!client.read().empty()) {
  }
  EXPECT_EQ(client.window(), FakeStream::kWindow);
  EXPECT_EQ(upstream(0).window(), FakeStream::kWindow);
}

TEST_F(TunnelTest, ABackendThatDeclinesAnswersAsUsualAndTheConnectionGoesOn) {
  FakeStream& client = connect_client();
  client.deliver(kUpgrade);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_TRUE(client.read().ends_with("no"));
  EXPECT_FALSE(client.is_shut);
  poll();
  client.deliver("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  poll();
  EXPECT_NE(upstream(0).peek().find("GET /next"), std::string::npos);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
