// SPDX-License-Identifier: Apache-2.0
// What TLS to backends changes for requests, pools and health checks. The TLS itself: tests/unit/l7_tls/backend_test.cc.
#include "l7/upstream/health_checker.h"
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

class BackendTlsTest : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

  void SetUp() override { use(some("a.test")); }
  static upstream::Tls some(const char* name) {
    return std::make_shared<const tls::BackendTls>(tls::BackendTls{nullptr, name});
  }
  void use(upstream::Tls tls) {
    group->tls = std::move(tls);
    publish();
  }
  /// One request, answered, whose connection then lies idle.
  void serve_one() {
    FakeStream& client = connect_client();
    client.deliver(kGet);
    poll();
    last_upstream().read();
    last_upstream().deliver(kOk);
    EXPECT_EQ(status_of(client.read()), 200);
    poll();
    log();
  }
  void fails(FakeStream& up, const char* why) {
    up.tls_error = why;
    up.closes(l4::CloseReason::kProtocolError);
    poll();
  }
};

TEST_F(BackendTlsTest, ConnectionsAreForTheSettingsThatTheyWereMadeBy) {
  serve_one();
  serve_one();
  EXPECT_EQ(upstreams(), 1u);
  EXPECT_EQ(upstream(0).tls, group->tls);
  use(some("b.test"));
  serve_one();
  EXPECT_EQ(upstreams(), 2u);
  EXPECT_TRUE(upstream(0).is_shut);
  EXPECT_EQ(upstream(1).tls, group->tls);
  use(nullptr);
  serve_one();
  EXPECT_EQ(upstreams(), 3u);
  EXPECT_EQ(upstream(2).tls, nullptr);
}

TEST_F(BackendTlsTest, AFailedHandshakeGoesToTheNextMemberAndIsCounted) {
  group->members = {member(1), member(2)};
  for (int i = 1; i <= 2; ++i) connector->set(member(static_cast<unsigned>(i)).address, FakeConnector::Mode::kHangs);
  publish();
  FakeStream& client = connect_client();
  client.deliver(kPost);
  poll();
  fails(upstream(0), "certificate verify failed: certificate has expired");
  ASSERT_EQ(upstreams(), 2u);
  upstream(1).open();
  EXPECT_TRUE(upstream(1).peek().ends_with("\r\n\r\nhi"));
  upstream(1).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
  EXPECT_EQ(worker->stats.upstream_connect_failures.get(), 1u);
  std::uint64_t failures = 0;
  for (unsigned i = 1; i <= 2; ++i) failures += shared->backends.at(BackendSlot{i}, WorkerId{0}).connect_failures.get();
  EXPECT_EQ(failures, 1u);
}

TEST_F(BackendTlsTest, WhereNoneIsTrustedTheAnswerIs502AndTheLogSaysWhy) {
  connector->set(member(1).address, FakeConnector::Mode::kHangs);
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  fails(upstream(0), "certificate verify failed: unable to get local issuer certificate");
  const std::string answer = client.read();
  EXPECT_EQ(status_of(answer), 502);
  EXPECT_EQ(answer.find("certificate"), std::string::npos) << "nothing for strangers";
  EXPECT_EQ(log().error.view(), "tls: certificate verify failed: unable to get local issuer certificate");
}

/// TLS 1.3: the backend judges our certificate when the connection is open for us.
TEST_F(BackendTlsTest, ARefusalThatComesLateIsToldToo) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  fails(upstream(0), "tlsv13 alert certificate required");
  EXPECT_EQ(status_of(client.read()), 502);
  EXPECT_EQ(log().error.view(), "tls: tlsv13 alert certificate required");
}

TEST_F(BackendTlsTest, ABodyThatEndsByCloseIsWholeOnlyWithCloseNotify) {
  for (const bool truncated : {false, true}) {
    FakeStream& client = connect_client();
    client.deliver(kGet);
    poll();
    FakeStream& up = last_upstream();
    up.deliver("HTTP/1.1 200 OK\r\n\r\nhalf of it?");
    up.is_truncated = truncated;
    up.peer_closes();
    poll();
    EXPECT_EQ(client.is_aborted, truncated);
    EXPECT_EQ(log().error.view(), truncated ? "upstream_closed_in_body" : "");
  }
}

TEST_F(BackendTlsTest, ABodyWithALengthIsWholeWithoutCloseNotify) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver(kOk);
  upstream(0).is_truncated = true;
  upstream(0).peer_closes();
  poll();
  EXPECT_EQ(body_of(client.read()), "ok");
  EXPECT_FALSE(client.is_aborted);
  EXPECT_EQ(worker->pool.idle(), 0u);
}

/// Many servers end idle connections without close_notify; a request that met such an end was not read.
TEST_F(BackendTlsTest, ARequestThatMeetsTheEndOfAnIdleConnectionIsSentOnceMore) {
  serve_one();
  FakeStream& client = connect_client();
  client.deliver(kPost);
  poll();
  upstream(0).is_truncated = true;
  upstream(0).peer_closes();
  poll();
  ASSERT_EQ(upstreams(), 2u);
  upstream(1).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
}

TEST_F(BackendTlsTest, HealthChecksAreOverTlsAndSayWhatIsWrong) {
  group->health_check.kind = HealthCheck::Kind::kHttp;
  group->health_check.interval = 2s;
  group->health_check.unhealthy_threshold = 1;
  publish();
  upstream::HealthChecker checker(*connector, *wheel, sluice::test::buffers(), shared->backends, *shared->health_events[0],
                                  WorkerId{0}, 1, 7);
  checker.follow(*worker->snapshot, now);
  advance(201ms);
  ASSERT_EQ(upstreams(), 1u);
  EXPECT_EQ(upstream(0).tls, group->tls);
  EXPECT_NE(upstream(0).peek().find("Host: a.test\r\n"), std::string::npos);
  fails(upstream(0), "hostname mismatch");
  HealthEvent event;
  ASSERT_TRUE(shared->health_events[0]->pop(event));
  EXPECT_EQ(event.detail.view(), "TLS: hostname mismatch");
  // Other settings of TLS are another check.
  use(some("b.test"));
  checker.follow(*worker->snapshot, now);
  advance(201ms);
  EXPECT_EQ(last_upstream().tls, group->tls);
  // A check of the port alone says nothing about TLS.
  group->health_check.kind = HealthCheck::Kind::kTcp;
  publish();
  checker.follow(*worker->snapshot, now);
  advance(201ms);
  EXPECT_EQ(last_upstream().tls, nullptr);
  checker.stop(now);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
