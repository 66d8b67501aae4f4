// SPDX-License-Identifier: Apache-2.0
// Drain, rule updates under way, access records, and ends in any state.
#include <gtest/gtest.h>

#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class LifecycleTest : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
};

TEST_F(LifecycleTest, ADrainClosesIdleConnectionsAndLetsRunningRequestsEnd) {
  FakeStream& idle = connect_client();
  FakeStream& busy = connect_client();
  busy.deliver(kGet);
  poll();
  worker->begin_drain(now);
  EXPECT_TRUE(idle.is_shut);
  EXPECT_FALSE(busy.is_shut);
  EXPECT_FALSE(worker->drained());
  upstream(0).deliver(kOk);
  EXPECT_EQ(field_of(busy.peek(), "Connection"), "close");
  EXPECT_TRUE(busy.is_shut);
  poll();
  EXPECT_FALSE(worker->drained()) << "the answer has not reached the client";
  busy.read();
  EXPECT_TRUE(worker->drained());
  EXPECT_EQ(worker->pool.idle(), 0u);
}

TEST_F(LifecycleTest, ARequestThatArrivesDuringTheDrainOnAnOpenConnectionIsServed) {
  FakeStream& client = connect_client();
  client.deliver("GET / HTTP/1.1\r\n");
  worker->begin_drain(now);
  EXPECT_FALSE(worker->drained());
  client.deliver("Host: h\r\n\r\n");
  poll();
  upstream(0).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
  EXPECT_TRUE(client.is_shut);
}

TEST_F(LifecycleTest, AKeptAliveConnectionFollowsTheNewestRules) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver(kOk);
  client.read();
  poll();
  rules.clear();
  listener->default_action = std::make_shared<Action>(FixedResponseAction{410, "text/plain", ""});
  publish();
  client.deliver(kGet);
  poll();
  EXPECT_EQ(status_of(client.read()), 410);
}

TEST_F(LifecycleTest, ARequestUnderWaySurvivesTheRemovalOfItsRuleGroupAndListener) {
  FakeStream& client = connect_client();
  client.deliver("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
  poll();
  listener->port = 8000;
  rules.clear();
  publish();
  client.deliver("b");
  upstream(0).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
  EXPECT_TRUE(client.is_shut) << "its listener is gone";
}

TEST_F(LifecycleTest, IdleConnectionsOfARemovedListenerAreClosed) {
  second_listener = std::make_shared<Listener>(*listener);
  second_listener->port = 81;
  publish();
  FakeStream& stays = connect_client(80);
  FakeStream& goes = connect_client(81);
  second_listener = nullptr;
  publish();
  EXPECT_TRUE(goes.is_shut);
  EXPECT_FALSE(stays.is_shut);
}

TEST_F(LifecycleTest, ARequestIsFullyDescribedByItsRecord) {
  FakeStream& client = connect_client();
  client.deliver(
      "PUT /a?b=1 HTTP/1.1\r\nHost: shop.example:80\r\nUser-Agent: curl/8\r\nX-Request-ID: id-1\r\n"
      "Content-Length: 3\r\n\r\n");
  advance(10ms);
  client.deliver("abc");
  advance(20ms);
  upstream(0).deliver("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
  advance(30ms);
  upstream(0).deliver("0\r\n\r\n");
  const AccessRecord r = log();
  EXPECT_EQ(r.method.view(), "PUT");
  EXPECT_EQ(r.host.view(), "shop.example:80");
  EXPECT_EQ(r.path.view(), "/a?b=1");
  EXPECT_EQ(r.user_agent.view(), "curl/8");
  EXPECT_EQ(r.request_id.view(), "id-1");
  EXPECT_EQ(r.listener.view(), "front");
  EXPECT_EQ(r.rule.view(), "all");
  EXPECT_EQ(r.group.view(), "web");
  EXPECT_EQ(r.status, 201);
  EXPECT_EQ(r.request_bytes, 3u);
  EXPECT_EQ(r.response_bytes, 2u);
  EXPECT_EQ(r.client.to_string(), "198.51.100.7:40000");
  EXPECT_EQ(r.vip.to_string(), "192.0.2.1:80");
  EXPECT_EQ(r.upstream.to_string(), "10.0.0.1:8080");
  EXPECT_EQ(r.upstream_attempts, 1);
  EXPECT_EQ(r.duration_ns, Duration(60ms).count());
  EXPECT_EQ(r.upstream_response_ns, Duration(30ms).count());
  EXPECT_GE(r.upstream_connect_ns, 0);
  EXPECT_EQ(r.error.view(), "");
  EXPECT_FALSE(r.tls);
}

TEST_F(LifecycleTest, ABadRequestIsRecordedWithItsReasonAndNothingOfTheOneBefore) {
  ask("GET /good HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\nX-Request-ID: id-1\r\n\r\n");
  upstream(0).deliver(kOk);
  poll();
  log();
  ask("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
  const AccessRecord r = log();
  EXPECT_EQ(r.status, 400);
  EXPECT_NE(r.error.view(), "");
  EXPECT_EQ(r.request_id.view(), "");
  EXPECT_EQ(r.user_agent.view(), "");
  EXPECT_EQ(r.rule.view(), "");
  EXPECT_EQ(r.upstream.port, 0);
  EXPECT_EQ(r.listener.view(), "front");
}

TEST_F(LifecycleTest, AListenerWithoutAccessLogWritesNone) {
  listener->access_log = false;
  publish();
  ask(kGet);
  upstream(0).deliver(kOk);
  EXPECT_EQ(logs_waiting(), 0u);
  EXPECT_EQ(worker->stats.responses[2].get(), 1u);
}

TEST_F(LifecycleTest, AFullRingDropsRecordsAndCountsThem) {
  rules.clear();
  publish();
  FakeStream& client = connect_client();
  for (int i = 0; i < 1030; ++i) {
    client.deliver(kGet);
    poll();
    client.read();
  }
  EXPECT_EQ(worker->stats.access_log_dropped.get(), 6u);
  EXPECT_EQ(logs_waiting(), 1024u);
}

// Every prefix of a conversation, ended in every way: TearDown checks that nothing stays behind.
TEST_F(LifecycleTest, AnEndAfterAnyStepLeavesNothingBehind) {
  enum class End { kClientReset, kClientFin, kBackendReset, kBackendFin, kTimeout };
  const std::string_view request =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  const std::string_view response =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n";
  for (const End end :
       {End::kClientReset, End::kClientFin, End::kBackendReset, End::kBackendFin, End::kTimeout}) {
    for (std::size_t step = 0; step <= request.size() + response.size(); ++step) {
      FakeStream& client = connect_client();
      client.deliver(request.substr(0, std::min(step, request.size())));
      poll();
      FakeStream* up = step > 58 && upstreams() > 0 ? &last_upstream() : nullptr;
      if (step > request.size() && up != nullptr) up->deliver(response.substr(0, step - request.size()));
      const bool backend_there = up != nullptr && !up->ended();
      switch (end) {
        case End::kClientReset:
          client.closes(l4::CloseReason::kPeerReset);
          break;
        case End::kClientFin:
          client.peer_closes();
          break;
        case End::kBackendReset:
          if (backend_there) up->closes(l4::CloseReason::kPeerReset);
          break;
        case End::kBackendFin:
          if (backend_there) up->peer_closes();
          break;
        case End::kTimeout:
          break;
      }
      poll();
      for (int i = 0; i < 30; ++i) advance(7s);
      client.read();
      for (int i = 0; i < 3; ++i) advance(7s);
      EXPECT_TRUE(client.ended()) << "end " << static_cast<int>(end) << " after " << step << " bytes";
      connector->streams.clear();
      logs_waiting();
    }
  }
}

TEST_F(LifecycleTest, AResponseThatASlowClientStillReadsIsNotCutByTheLinger) {
  FakeStream& client = connect_client();
  client.deliver("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
  poll();
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + std::string(50'000, 'x'));
  EXPECT_TRUE(client.is_shut);
  for (int i = 0; i < 10; ++i) {
    advance(20s);
    ASSERT_FALSE(client.is_aborted);
    client.read(5000);
  }
}

TEST(Memory, an_idle_session_takes_a_sixth_of_a_kilobyte) {
  // One million connections in less than 1 GiB (docs/tcp.md): this is their part above TCP.
  EXPECT_LE(sizeof(ClientSession), 152u);
}

TEST_F(LifecycleTest, OnlyARequestThatHasBegunHasAnUnfinishedHead) {
  FakeStream& client = connect_client();
  EXPECT_EQ(worker->heads.live(), 0u);
  client.deliver("\r\n");  // an empty line is no request yet
  EXPECT_EQ(worker->heads.live(), 0u);
  client.deliver("GET / HT");
  EXPECT_EQ(worker->heads.live(), 1u);
  client.deliver("TP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(worker->heads.live(), 0u);
  FakeStream& leaves = connect_client();
  leaves.deliver("GET /");
  EXPECT_EQ(worker->heads.live(), 1u);
  leaves.closes(l4::CloseReason::kPeerReset);
  poll();
  EXPECT_EQ(worker->heads.live(), 0u);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
