// SPDX-License-Identifier: Apache-2.0
// When a request is sent once more, and when it must not be.
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

using Mode = FakeConnector::Mode;

class RetryTest : public Bench {
 protected:
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view kPost = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
  static constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

  /// A client whose first request left a kept-alive backend connection behind.
  FakeStream& warm_client() {
    FakeStream& client = connect_client();
    client.deliver(kGet);
    poll();
    upstream(0).read();
    upstream(0).deliver(kOk);
    EXPECT_EQ(status_of(client.read()), 200);
    poll();
    log();
    EXPECT_EQ(worker->pool.idle(), 1u);
    return client;
  }
};

TEST_F(RetryTest, AKeptAliveConnectionIsUsedAgain) {
  FakeStream& client = warm_client();
  client.deliver(kGet);
  poll();
  EXPECT_EQ(upstreams(), 1u);
  EXPECT_EQ(worker->stats.upstream_reused.get(), 1u);
  EXPECT_TRUE(upstream(0).peek().starts_with("GET /"));
}

TEST_F(RetryTest, ARefusedConnectGoesToTheNextMember) {
  group->members = {member(1), member(2), member(3)};
  group->max_idle_per_worker = 0;
  publish();
  for (unsigned i = 1; i <= 2; ++i) connector->set(member(i).address, Mode::kRefuses);
  for (int i = 0; i < 3; ++i) {
    FakeStream& client = connect_client();
    client.deliver(kPost);
    poll();
    last_upstream().deliver(kOk);
    EXPECT_EQ(status_of(client.read()), 200) << "nothing was sent: a POST, too, may be tried elsewhere";
    poll();
  }
}

TEST_F(RetryTest, AllRefusedIs502AfterTheAttemptsAllowed) {
  group->members = {member(1), member(2), member(3), member(4)};
  group->connect_attempts = 3;
  publish();
  for (unsigned i = 1; i <= 4; ++i) connector->set(member(i).address, Mode::kRefuses);
  EXPECT_EQ(status_of(ask(kGet)), 502);
  EXPECT_EQ(upstreams(), 3u);
  const AccessRecord record = log();
  EXPECT_EQ(record.upstream_attempts, 3);
  EXPECT_EQ(record.error.view(), "connection_refused");
  EXPECT_EQ(worker->stats.upstream_connect_failures.get(), 3u);
}

TEST_F(RetryTest, AConnectThatFailsAtOnceCountsLikeOthers) {
  group->members = {member(1), member(2)};
  publish();
  connector->set(member(1).address, Mode::kFailsAtOnce);
  connector->set(member(2).address, Mode::kFailsAtOnce);
  EXPECT_EQ(status_of(ask(kGet)), 502);
}

TEST_F(RetryTest, NoMemberOrAllDownIs503) {
  shared->backends.set_health(BackendSlot{1}, BackendTable::Health::kDown);
  EXPECT_EQ(status_of(ask(kGet)), 503);
  EXPECT_EQ(worker->stats.no_backend.get(), 1u);
  group->members.clear();
  publish();
  EXPECT_EQ(status_of(ask(kGet)), 503);
  EXPECT_EQ(upstreams(), 0u);
}

TEST_F(RetryTest, AMemberThatDrainsGetsNoNewRequests) {
  group->members = {member(1, 0), member(2)};
  publish();
  for (int i = 0; i < 4; ++i) {
    FakeStream& client = connect_client();
    client.deliver(kGet);
    poll();
    EXPECT_EQ(last_upstream().flow().remote, member(2).address);
  }
}

TEST_F(RetryTest, AGetOnAReusedConnectionThatDiesIsSentAgainOnAFreshOneToTheSameMember) {
  FakeStream& client = warm_client();
  client.deliver(kGet);
  poll();
  upstream(0).closes(l4::CloseReason::kPeerReset);
  poll();
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_TRUE(upstream(1).peek().starts_with("GET /"));
  upstream(1).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
  EXPECT_EQ(log().upstream_attempts, 2);
  EXPECT_EQ(worker->stats.upstream_retries.get(), 1u);
}

TEST_F(RetryTest, AFinInsteadOfAnAnswerIsTreatedLikeAReset) {
  FakeStream& client = warm_client();
  client.deliver(kGet);
  poll();
  upstream(0).read();
  upstream(0).peer_closes();
  poll();
  ASSERT_EQ(upstreams(), 2u);
  upstream(1).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
}

TEST_F(RetryTest, AFinThatCrossedAPostUnreadLosesNothing) {
  FakeStream& client = warm_client();
  client.deliver(kPost);
  poll();
  upstream(0).peer_closes();  // Nothing of the request is acknowledged.
  poll();
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_TRUE(upstream(1).peek().starts_with("POST /"));
  EXPECT_TRUE(upstream(1).peek().ends_with("\r\n\r\nhi"));
  upstream(1).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
}

TEST_F(RetryTest, AFinAfterAPostWasReadIs502) {
  FakeStream& client = warm_client();
  client.deliver(kPost);
  poll();
  upstream(0).read();
  upstream(0).peer_closes();
  poll();
  EXPECT_EQ(upstreams(), 1u);
  EXPECT_EQ(status_of(client.read()), 502);
}

TEST_F(RetryTest, APostOnAReusedConnectionThatDiesIs502) {
  FakeStream& client = warm_client();
  client.deliver(kPost);
  poll();
  upstream(0).closes(l4::CloseReason::kPeerReset);
  poll();
  EXPECT_EQ(upstreams(), 1u);
  EXPECT_EQ(status_of(client.read()), 502);
}

TEST_F(RetryTest, AnIdempotentRequestWithASmallBodyIsSentAgainWhole) {
  FakeStream& client = warm_client();
  client.deliver("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  poll();
  upstream(0).closes(l4::CloseReason::kPeerReset);
  poll();
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_TRUE(upstream(1).peek().ends_with("\r\n\r\n2\r\nhi\r\n"));
  client.deliver("3\r\nyou\r\n0\r\n\r\n");
  EXPECT_TRUE(upstream(1).peek().ends_with("\r\n\r\n2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n"));
  upstream(1).deliver(kOk);
  EXPECT_EQ(status_of(client.read()), 200);
}

TEST_F(RetryTest, AnIdempotentRequestWhoseLargeBodyHasGoneIsNot) {
  FakeStream& client = warm_client();
  client.deliver("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n" + std::string(20'000, 'x'));
  poll();
  upstream(0).closes(l4::CloseReason::kPeerReset);
  EXPECT_EQ(status_of(client.read()), 502);
}

TEST_F(RetryTest, AnIdempotentRequestWhoseBodyHasNotBegunIsSentAgain) {
  FakeStream& client = warm_client();
  client.deliver("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n");
  poll();
  upstream(0).closes(l4::CloseReason::kPeerReset);
  poll();
  ASSERT_EQ(upstreams(), 2u);
  client.deliver("hi");
  EXPECT_TRUE(upstream(1).peek().ends_with("\r\n\r\nhi"));
}

TEST_F(RetryTest, AfterTheFirstByteOfAResponseNothingIsSentAgain) {
  FakeStream& client = warm_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("H");
  upstream(0).closes(l4::CloseReason::kPeerReset);
  poll();
  EXPECT_EQ(upstreams(), 1u);
  EXPECT_EQ(status_of(client.read()), 502);
}

TEST_F(RetryTest, AGetOnAFreshConnectionThatDiesGoesToAnotherMember) {
  group->members = {member(1), member(2)};
  publish();
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  const Endpoint first = upstream(0).flow().remote;
  upstream(0).closes(l4::CloseReason::kPeerReset);
  poll();
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_NE(upstream(1).flow().remote, first);
  upstream(1).closes(l4::CloseReason::kPeerReset);
  poll();
  EXPECT_EQ(status_of(client.read()), 502);
}

TEST_F(RetryTest, AGroupThatIsRemovedMeanwhileEndsTheRetriesWith503) {
  group->members = {member(1), member(2)};
  publish();
  for (unsigned i = 1; i <= 2; ++i) connector->set(member(i).address, Mode::kHangs);
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  auto bare = std::make_unique<Snapshot>(*worker->snapshot);
  bare->revision = 1000;
  bare->groups.clear();
  worker->adopt(bare.get(), now);
  upstream(0).closes(l4::CloseReason::kRefused);
  EXPECT_EQ(status_of(client.read()), 503);
  publish();
}

TEST_F(RetryTest, AMemberThatGotANewAddressInItsSlotGetsNoOldConnection) {
  FakeStream& client = warm_client();
  group->members[0].address.port = 9090;
  publish();
  client.deliver(kGet);
  poll();
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_EQ(upstream(1).flow().remote.port, 9090);
  EXPECT_TRUE(upstream(0).is_shut);
}

TEST_F(RetryTest, GarbageFromABackendIs502) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("SSH-2.0-OpenSSH\r\n\r\n");
  EXPECT_EQ(status_of(client.read()), 502);
  EXPECT_TRUE(upstream(0).is_aborted);
  EXPECT_EQ(worker->stats.upstream_bad_responses.get(), 1u);
}

TEST_F(RetryTest, A101ThatNobodyAskedForIs502) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
  EXPECT_EQ(status_of(client.read()), 502);
}

TEST_F(RetryTest, BytesBehindAResponseNeverReachTheNextRequest) {
  FakeStream& client = connect_client();
  client.deliver(kGet);
  poll();
  upstream(0).deliver(std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  EXPECT_TRUE(client.read().ends_with("ok"));
  poll();
  EXPECT_TRUE(upstream(0).is_aborted);
  client.deliver(kGet);
  poll();
  ASSERT_EQ(upstreams(), 2u);
  EXPECT_EQ(client.read(), "");
}

}  // namespace
}  // namespace sluice::l7::proxy::test
