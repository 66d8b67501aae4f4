// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/limiter.h"

#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

using limits::Refusal;

/// Two workers, a listener and its load balancer.
class LimiterTest : public testing::Test {
 protected:
  LimiterTest() {
    listener.own.slot = MeterSlot{1};
    listener.balancer.slot = MeterSlot{2};
  }
  /// What a client that opens a connection comes to know.
  bool opens(Limiter& l, const char* address = "192.0.2.1") {
    const IpAddr from = *IpAddr::parse(address);
    if (l.refuses(listener, from, now) || !l.admit(listener, from, now)) return false;
    l.opened(listener);
    return true;
  }
  std::uint64_t refused(const Metered& m, Refusal why) {
    return meters.at(m.slot, WorkerId{0}).refused[static_cast<std::size_t>(why)].get() +
           meters.at(m.slot, WorkerId{1}).refused[static_cast<std::size_t>(why)].get();
  }

  limits::MeterTable meters{2};
  Limiter a{meters, WorkerId{0}}, b{meters, WorkerId{1}};
  Listener listener;
  Instant now{1h};
  const IpAddr source = *IpAddr::parse("192.0.2.1");
};

TEST_F(LimiterTest, WithoutLimitsEverythingIsLetInAndCounted) {
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(opens(i % 2 == 0 ? a : b));
  EXPECT_EQ(meters.active(listener.own.slot), 1000u);
  EXPECT_EQ(meters.active(listener.balancer.slot), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(a.begin_request(listener, now) && a.begin_handshake(listener, now));
}

TEST_F(LimiterTest, NoMoreConnectionsThanAllowedOverAllWorkersUntilOneCloses) {
  for (Metered* limited : {&listener.own, &listener.balancer}) {
    listener.own.limits = listener.balancer.limits = {};
    limited->limits.max_connections = static_cast<std::uint32_t>(meters.active(limited->slot)) + 3;
    EXPECT_TRUE(opens(a) && opens(b));
    const Limiter::Meters third = a.opened(listener);
    EXPECT_EQ(a.refuses(listener, source, now), DropReason::kTcpMaxConnections);
    EXPECT_EQ(b.refuses(listener, source, now), DropReason::kTcpMaxConnections);
    EXPECT_FALSE(b.admit(listener, source, now)) << "its SYN was in time, and others were faster";
    EXPECT_EQ(refused(*limited, Refusal::kMaxConnections), 3u);
    a.closed(third);
    EXPECT_TRUE(opens(b));
  }
}

TEST_F(LimiterTest, ConnectionsASecondAreCountedOverAllWorkers) {
  listener.balancer.limits.connections_per_second = 10;
  int n = 0;
  for (int i = 0; i < 20; ++i) n += (opens(a) ? 1 : 0) + (opens(b) ? 1 : 0);
  EXPECT_EQ(n, 10);
  EXPECT_EQ(a.refuses(listener, source, now), DropReason::kTcpConnectionRate);
  now += 500ms;
  n = 0;
  for (int i = 0; i < 20; ++i) n += opens(b) ? 1 : 0;
  EXPECT_EQ(n, 5);
  EXPECT_GT(refused(listener.balancer, Refusal::kConnectionRate), 0u);
}

TEST_F(LimiterTest, AFloodOfForgedSynsTakesNothingFromThoseWhoComplete) {
  listener.balancer.limits.connections_per_second = 10;
  listener.own.limits.connections_per_second_per_source = 5;
  listener.own.limits.handshakes_per_second = 10;
  listener.source_rates = std::make_shared<limits::SourceRates>();
  for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(a.refuses(listener, source, now));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(opens(a));
}

TEST_F(LimiterTest, OneSourceThatDoesTooMuchIsNotChargedToAll) {
  listener.balancer.limits.connections_per_second = 1000;
  listener.own.limits.connections_per_second_per_source = 5;
  listener.source_rates = std::make_shared<limits::SourceRates>();
  int n = 0;
  for (int i = 0; i < 2000; ++i) n += opens(i % 2 == 0 ? a : b, "192.0.2.1") ? 1 : 0;
  EXPECT_EQ(n, 5);
  EXPECT_EQ(a.refuses(listener, source, now), DropReason::kTcpSourceRate);
  EXPECT_EQ(refused(listener.own, Refusal::kSourceRate), 1996u);
  EXPECT_EQ(refused(listener.balancer, Refusal::kConnectionRate), 0u);
  EXPECT_TRUE(opens(a, "192.0.2.2"));
}

TEST_F(LimiterTest, HandshakesASecondCloseTheDoorForSyns) {
  listener.own.limits.handshakes_per_second = 4;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE((i % 2 == 0 ? a : b).begin_handshake(listener, now));
  EXPECT_EQ(b.refuses(listener, source, now), DropReason::kTcpHandshakeRate);
  EXPECT_TRUE(a.begin_handshake(listener, now)) << "of a connection that was open already";
  int late = 1;
  while (a.begin_handshake(listener, now)) ++late;
  EXPECT_EQ(late, 4) << "but only for another second's worth";
  EXPECT_EQ(refused(listener.own, Refusal::kHandshakeRate), 2u);
  now += 1s;
  EXPECT_EQ(a.refuses(listener, source, now), DropReason::kTcpHandshakeRate) << "the debt first";
  now += 300ms;
  EXPECT_EQ(a.refuses(listener, source, now), std::nullopt);
}

/// The same through sessions.
class LimitedSessions : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  LimitedSessions() {
    listener->own.slot = MeterSlot{1};
    listener->balancer.slot = MeterSlot{2};
    auto rule = std::make_shared<Rule>();
    rule->id = "r";
    rule->action = FixedResponseAction{200, "text/plain", "ok\n"};
    rules = {rule};
  }
  std::string get(FakeStream& client) {
    client.deliver(kGet);
    poll();
    return client.read();
  }
};

TEST_F(LimitedSessions, ARequestAboveTheRateIsAnswered503OnAConnectionThatStays) {
  listener->balancer.limits.requests_per_second = 2;
  publish();
  FakeStream& client = connect_client();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(status_of(get(client)), 200);
  log(), log();
  const std::string refused = get(client);
  EXPECT_EQ(status_of(refused), 503);
  EXPECT_EQ(field_of(refused, "Retry-After"), "1");
  EXPECT_EQ(field_of(refused, "Connection"), "-");
  const AccessRecord record = log();
  EXPECT_EQ(record.status, 503);
  EXPECT_EQ(record.error.view(), "request_rate");
  now += 1s;
  EXPECT_EQ(status_of(get(client)), 200);
  const auto& row = shared->meters.at(MeterSlot{2}, WorkerId{0});
  EXPECT_EQ(row.requests.get(), 4u);
  EXPECT_EQ(row.refused[static_cast<std::size_t>(Refusal::kRequestRate)].get(), 1u);
}

TEST_F(LimitedSessions, ABodyOfARefusedRequestIsReadAndTheNextRequestServed) {
  listener->balancer.limits.requests_per_second = 1;
  publish();
  FakeStream& client = connect_client();
  EXPECT_EQ(status_of(get(client)), 200);
  client.deliver("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  poll();
  EXPECT_EQ(status_of(client.read()), 503);
  now += 1s;
  EXPECT_EQ(status_of(get(client)), 200);
}

TEST_F(LimitedSessions, AConnectionCountsUntilItIsClosedEvenWhenItsListenerIsGone) {
  publish();
  FakeStream& first = connect_client();
  FakeStream& second = connect_client();
  EXPECT_EQ(shared->meters.active(MeterSlot{1}), 2u);
  EXPECT_EQ(shared->meters.active(MeterSlot{2}), 2u);
  first.closes(l4::CloseReason::kPeerReset);
  poll();
  EXPECT_EQ(shared->meters.active(MeterSlot{1}), 1u);
  listener->port = 0;  // no listener any more
  publish();
  EXPECT_EQ(shared->meters.active(MeterSlot{1}), 1u) << "its FIN is not answered yet";
  second.closes(l4::CloseReason::kPeerReset);
  poll();
  EXPECT_EQ(shared->meters.active(MeterSlot{1}), 0u);
  EXPECT_EQ(shared->meters.active(MeterSlot{2}), 0u);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
