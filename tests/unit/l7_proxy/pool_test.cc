// SPDX-License-Identifier: Apache-2.0
// Kept-alive backend connections, and health checks.
#include "l7/upstream/pool.h"
#include "l7/upstream/health_checker.h"
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class PoolTest : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

  /// `n` requests at a time, so that n connections lie idle afterwards.
  void fill(std::size_t n) {
    std::vector<FakeStream*> clients;
    for (std::size_t i = 0; i < n; ++i) {
      clients.push_back(&connect_client());
      clients.back()->deliver(kGet);
    }
    poll();
    for (std::size_t i = upstreams() - n; i < upstreams(); ++i) {
      upstream(i).read();
      upstream(i).deliver(kOk);
    }
    poll();
  }
};

TEST_F(PoolTest, TheConnectionUsedLastComesOutFirst) {
  fill(3);
  EXPECT_EQ(worker->pool.idle(), 3u);
  upstream(2).read();
  ask(kGet);
  EXPECT_NE(upstream(2).peek(), "");
}

TEST_F(PoolTest, MoreThanTheBoundCloseTheOldest) {
  group->max_idle_per_worker = 2;
  publish();
  fill(4);
  EXPECT_EQ(worker->pool.idle(), 2u);
  EXPECT_TRUE(upstream(0).is_shut);
  EXPECT_TRUE(upstream(1).is_shut);
  EXPECT_FALSE(upstream(3).is_shut);
}

TEST_F(PoolTest, NoneIsKeptWhereTheBoundIsZero) {
  group->max_idle_per_worker = 0;
  publish();
  fill(2);
  EXPECT_EQ(worker->pool.idle(), 0u);
}

TEST_F(PoolTest, AnIdleConnectionEndsAfterItsTime) {
  group->keep_alive = 10s;
  publish();
  fill(1);
  advance(9s);
  EXPECT_EQ(worker->pool.idle(), 1u);
  advance(2s);
  EXPECT_EQ(worker->pool.idle(), 0u);
  EXPECT_TRUE(upstream(0).is_shut);
  advance(6s);
  EXPECT_TRUE(upstream(0).is_aborted);
  EXPECT_EQ(worker->pool.connections(), 0u);
}

TEST_F(PoolTest, AnIdleConnectionThatThePeerClosesResetsOrTalksOnIsDropped) {
  fill(3);
  upstream(0).peer_closes();
  upstream(1).closes(l4::CloseReason::kPeerReset);
  upstream(2).deliver("HTTP/1.1 408 Request Timeout\r\n\r\n");
  poll();
  EXPECT_EQ(worker->pool.idle(), 0u);
  EXPECT_EQ(worker->pool.connections(), 0u);
  ask(kGet);
  EXPECT_EQ(upstreams(), 4u);
}

TEST_F(PoolTest, EachBackendHasItsOwn) {
  group->members = {member(1), member(2)};
  publish();
  fill(2);
  EXPECT_EQ(worker->pool.idle(), 2u);
  ask(kGet);
  ask(kGet);
  EXPECT_EQ(upstreams(), 2u);
  EXPECT_EQ(worker->pool.idle(), 0u);
}

TEST_F(PoolTest, ASlotThatNamesAnotherAddressNowGetsNoneOfTheOldConnections) {
  fill(3);
  group->members[0].address.port = 4444;
  publish();
  fill(2);
  EXPECT_EQ(upstreams(), 5u);
  EXPECT_TRUE(upstream(0).is_shut && upstream(1).is_shut && upstream(2).is_shut);
  EXPECT_EQ(worker->pool.idle(), 2u);
  ask(kGet);
  EXPECT_EQ(upstreams(), 5u) << "the new ones are used again";
}

class HealthTest : public Bench {
 protected:
  using Health = BackendTable::Health;

  void SetUp() override {
    group->members = {member(0)};
    group->health_check.kind = HealthCheck::Kind::kHttp;
    group->health_check.path = "/healthz";
    group->health_check.interval = 2s;
    group->health_check.timeout = 1s;
    checker = std::make_unique<upstream::HealthChecker>(*connector, *wheel, sluice::test::buffers(),
                                                        shared->backends, *shared->health_events[0],
                                                        WorkerId{0}, 1, 7);
    follow();
  }
  void TearDown() override {
    checker.reset();
    Bench::TearDown();
  }
  void follow() {
    publish();
    checker->follow(*worker->snapshot, now);
  }
  /// Runs to the next probe and answers it.
  void probe(std::string_view answer) {
    const std::size_t before = upstreams();
    for (int i = 0; i < 30 && upstreams() == before; ++i) advance(100ms);
    ASSERT_EQ(upstreams(), before + 1) << "no probe came";
    if (!last_upstream().ended() && !answer.empty()) last_upstream().deliver(answer);
  }
  Health health() const { return shared->backends.health(BackendSlot{0}); }
  std::string event() {
    HealthEvent e;
    if (!shared->health_events[0]->pop(e)) return "none";
    return (e.up ? "up: " : "down: ") + std::string(e.detail.view());
  }

  std::unique_ptr<upstream::HealthChecker> checker;
};

TEST_F(HealthTest, ANewBackendIsUsableAndProbedSoon) {
  EXPECT_TRUE(shared->backends.usable(BackendSlot{0}));
  advance(201ms);
  ASSERT_EQ(upstreams(), 1u);
  const std::string sent = upstream(0).peek();
  EXPECT_TRUE(sent.starts_with("HEAD /healthz HTTP/1.1\r\nHost: 10.0.0.0:8080\r\n")) << sent;
  upstream(0).deliver("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
  EXPECT_EQ(health(), Health::kUp);
  EXPECT_TRUE(upstream(0).is_aborted);
  EXPECT_EQ(event(), "up: healthy");
}

TEST_F(HealthTest, ItGoesDownAndComesBackAtTheThresholds) {
  probe("HTTP/1.1 200 OK\r\n\r\n");
  event();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(health(), Health::kUp);
    probe("HTTP/1.1 500 Internal Server Error\r\n\r\n");
  }
  EXPECT_EQ(health(), Health::kDown);
  EXPECT_EQ(event(), "down: status 500");
  probe("HTTP/1.1 200 OK\r\n\r\n");
  probe("HTTP/1.1 503 Service Unavailable\r\n\r\n");  // In a row, not in all.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(health(), Health::kDown);
    probe("HTTP/1.1 204 No Content\r\n\r\n");
  }
  EXPECT_EQ(health(), Health::kUp);
  EXPECT_EQ(event(), "up: healthy");
  EXPECT_EQ(event(), "none");
}

TEST_F(HealthTest, RefusedHangingMuteAndNonsenseBackendsGoDownWithTheirReason) {
  const auto goes_down = [this](std::string_view answer, Duration wait) {
    for (int i = 0; i < 3; ++i) {
      probe(answer);
      if (wait > Duration::zero()) advance(wait);
    }
    EXPECT_EQ(health(), Health::kDown);
    shared->backends.set_health(BackendSlot{0}, Health::kUp);
    return event();
  };
  EXPECT_EQ(goes_down("", 1100ms), "down: timeout");
  EXPECT_EQ(goes_down("nonsense\r\n\r\n", 0s), "down: malformed response");
  connector->set(member(0).address, FakeConnector::Mode::kRefuses);
  EXPECT_EQ(goes_down("", 0s), "down: connection refused");
  connector->set(member(0).address, FakeConnector::Mode::kHangs);
  EXPECT_EQ(goes_down("", 1100ms), "down: timeout");
}

TEST_F(HealthTest, ATcpCheckIsContentWithAConnection) {
  group->health_check.kind = HealthCheck::Kind::kTcp;
  follow();
  probe("");
  EXPECT_EQ(health(), Health::kUp);
  EXPECT_TRUE(last_upstream().is_aborted);
  EXPECT_EQ(last_upstream().peek(), "");
}

TEST_F(HealthTest, ACheckPortAndStatusRangesCount) {
  group->health_check.port = 9000;
  group->health_check.statuses = {{418, 418}};
  follow();
  probe("HTTP/1.1 418 \r\n\r\n");
  EXPECT_EQ(last_upstream().flow().remote.port, 9000);
  EXPECT_EQ(health(), Health::kUp);
}

TEST_F(HealthTest, AnInterimResponseIsNotTheVerdict) {
  probe("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(health(), Health::kUnknown);
  last_upstream().deliver("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(health(), Health::kUp);
}

TEST_F(HealthTest, ASnapshotWithTheSameMembersDisturbsNothing) {
  probe("");
  FakeStream& running = last_upstream();
  follow();
  EXPECT_FALSE(running.ended());
  running.deliver("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(health(), Health::kUp);
}

TEST_F(HealthTest, AMemberThatGoesIsNoLongerProbedAndForgotten) {
  probe("");
  FakeStream& running = last_upstream();
  shared->backends.set_health(BackendSlot{0}, Health::kDown);
  group->members.clear();
  follow();
  EXPECT_TRUE(running.is_aborted);
  EXPECT_EQ(checker->probes(), 0u);
  EXPECT_EQ(health(), Health::kUnknown);
  const std::size_t before = upstreams();
  for (int i = 0; i < 50; ++i) advance(100ms);
  EXPECT_EQ(upstreams(), before);
}

TEST_F(HealthTest, WithTwoWorkersEachProbesItsOwnSlots) {
  group->members = {member(0), member(1), member(2), member(3), member(4)};
  publish();
  upstream::HealthChecker second(*connector, *wheel, sluice::test::buffers(), shared->backends,
                                 *shared->health_events[0], WorkerId{1}, 2, 7);
  second.follow(*worker->snapshot, now);
  EXPECT_EQ(second.probes(), 2u);
  second.stop(now);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
