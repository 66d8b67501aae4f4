// SPDX-License-Identifier: Apache-2.0
// Each wait has an end, and each end its answer.
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class TimeoutTest : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
};

TEST_F(TimeoutTest, AnIdleConnectionIsClosedSilently) {
  FakeStream& client = connect_client();
  advance(14s);
  EXPECT_FALSE(client.is_shut);
  advance(2s);
  EXPECT_TRUE(client.is_shut);
  EXPECT_EQ(client.read(), "");
  EXPECT_EQ(logs_waiting(), 0u);
  advance(6s);
  EXPECT_TRUE(client.is_aborted) << "a client that does not close is not waited for";
}

TEST_F(TimeoutTest, AHeadThatDoesNotEndIs408CountedFromItsFirstByte) {
  FakeStream& client = connect_client();
  advance(10s);
  client.deliver("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 59; ++i) {  // Slow loris: a byte now and then does not help.
    advance(1s);
    client.deliver("X");
  }
  EXPECT_EQ(client.peek(), "");
  advance(2s);
  EXPECT_EQ(status_of(client.read()), 408);
  EXPECT_TRUE(client.is_shut);
  EXPECT_EQ(log().status, 408);
}

TEST_F(TimeoutTest, ABodyThatDoesNotComeIs408) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  poll();
  for (int i = 0; i < 3; ++i) {
    advance(50s);
    client.deliver("x");
  }
  EXPECT_EQ(client.peek(), "") << "between two reads, not in all";
  advance(61s);
  EXPECT_EQ(status_of(client.read()), 408);
  EXPECT_TRUE(upstream(0).is_aborted);
  const AccessRecord record = log();
  EXPECT_EQ(record.status, 408);
  EXPECT_EQ(record.error.view(), "body_timeout");
}

TEST_F(TimeoutTest, ABackendThatDoesNotAnswerIs504) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  advance(59s);
  EXPECT_EQ(client.peek(), "");
  advance(2s);
  EXPECT_EQ(status_of(client.read()), 504);
  EXPECT_TRUE(upstream(0).is_aborted);
  EXPECT_EQ(worker->stats.upstream_timeouts.get(), 1u);
  EXPECT_EQ(shared->backends.at(BackendSlot{1}, WorkerId{0}).failures.get(), 1u);
}

TEST_F(TimeoutTest, TheWaitForTheResponseBeginsWithTheEndOfTheRequest) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
  poll();
  for (int i = 0; i < 5; ++i) {
    advance(30s);
    client.deliver("x");
  }
  advance(59s);
  EXPECT_EQ(client.peek(), "");
  advance(2s);
  EXPECT_EQ(status_of(client.read()), 504);
}

TEST_F(TimeoutTest, PipelinedBytesDoNotProlongTheWait) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  for (int i = 0; i < 7; ++i) {
    advance(10s);
    if (!client.is_shut) client.deliver("G");
  }
  EXPECT_EQ(status_of(client.read()), 504);
}

TEST_F(TimeoutTest, ABackendThatStopsInTheBodyCutsTheResponseVisibly) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
  EXPECT_TRUE(client.read().ends_with("12345"));
  advance(61s);
  EXPECT_TRUE(client.is_aborted);
  EXPECT_EQ(log().error.view(), "response_timeout");
}

TEST_F(TimeoutTest, ATimeBetweenTwoReadsThatIsShortEnoughIsFine) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  for (int i = 0; i < 5; ++i) {
    advance(55s);
    upstream(0).deliver("x");
  }
  EXPECT_TRUE(client.read().ends_with("xxxxx"));
  EXPECT_FALSE(client.is_aborted);
}

TEST_F(TimeoutTest, AClientThatDoesNotReadIsGivenUp) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 3; ++i) upstream(0).deliver(std::string(40'000, 'x'));
  advance(40s);
  EXPECT_FALSE(client.is_aborted);
  advance(30s);
  EXPECT_TRUE(client.is_aborted);
  EXPECT_EQ(log().error.view(), "client_timeout");
}

TEST_F(TimeoutTest, AClientThatReadsSlowlyIsNot) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 3; ++i) upstream(0).deliver(std::string(40'000, 'x'));
  for (int i = 0; i < 20; ++i) {
    advance(50s);
    client.read(100);
  }
  EXPECT_FALSE(client.is_aborted);
}

TEST_F(TimeoutTest, ABackendThatTakesABodySlowlyIsNotGivenUpAndOneThatStopsIs) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  poll();
  for (int i = 0; i < 3; ++i) client.deliver(std::string(40'000, 'x'));
  for (int i = 0; i < 5; ++i) {
    advance(59s);
    upstream(0).read(100);
    advance(2s);
    ASSERT_EQ(client.peek(), "");
  }
  advance(61s);
  advance(61s);
  EXPECT_EQ(status_of(client.read()), 504);
}

TEST_F(TimeoutTest, AConnectThatHangsGoesToTheNextMember) {
  group->members = {member(1), member(2)};
  publish();
  connector->set(member(1).address, FakeConnector::Mode::kHangs);
  connector->set(member(2).address, FakeConnector::Mode::kHangs);
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  const Endpoint first = upstream(0).flow().remote;
  EXPECT_EQ(upstreams(), 1u);
  advance(5001ms);
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_TRUE(upstream(0).is_aborted);
  EXPECT_NE(upstream(1).flow().remote, first);
  advance(5001ms);
  EXPECT_EQ(status_of(client.read()), 504) << "all timed out";
  EXPECT_EQ(log().error.view(), "connect_timeout");
}

TEST_F(TimeoutTest, AConnectionThatNeverOpensIsDropped) {
  // As a TLS handshake that does not proceed: attached, but no on_open.
  ClientSession* session = worker->new_session();
  FakeStream stream({{IpAddr::v4(0xc0000201), 80}, {IpAddr::v4(1), 1}}, &now);
  session->attach(stream, nullptr, now);
  advance(61s);
  EXPECT_TRUE(stream.is_aborted);
}

TEST_F(TimeoutTest, ATunnelWithoutAByteEnds) {
  FakeStream& client = connect_client();
  client.deliver("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  poll();
  upstream(0).deliver(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  advance(3000s);
  client.deliver("ping");
  advance(3000s);
  EXPECT_FALSE(client.is_shut);
  advance(700s);
  EXPECT_TRUE(client.is_shut);
  EXPECT_TRUE(upstream(0).is_shut);
  EXPECT_EQ(log().error.view(), "tunnel_timeout");
}

}  // namespace
}  // namespace sluice::l7::proxy::test
