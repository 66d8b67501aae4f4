// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/harness.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::free_buffers;
using testing::ElementsAre;

class Closing : public testing::TestWithParam<int> {
 protected:
  Closing() {
    Pair::Options o;
    o.client.min_version = o.client.max_version = GetParam();
    pair.emplace(make_context(), o);
  }
  ~Closing() override {
    pair.reset();
    EXPECT_EQ(free_buffers(), before_);
  }
  const std::size_t before_ = free_buffers();
  std::optional<Pair> pair;
};
INSTANTIATE_TEST_SUITE_P(Tls, Closing, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), [](const auto& i) {
  return i.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
});

TEST_P(Closing, ByTheClientFirstLeavesOurDirectionOpen) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.client.write("last words");
  SSL_shutdown(p.client.ssl.get());
  p.exchange();
  EXPECT_EQ(p.user.received, "last words");
  EXPECT_TRUE(p.user.peer_closed);
  p.tcp.peer_fin(p.now);
  EXPECT_FALSE(p.user.closed);
  p.user.send("answer", p.now);
  p.user.shutdown(p.now);
  p.exchange();
  EXPECT_EQ(p.client.received, "answer");
  EXPECT_TRUE(p.client.peer_closed);
  EXPECT_TRUE(p.tcp.fin_sent);
  p.tcp.close(CloseReason::kNormal, p.now);
  EXPECT_EQ(p.user.closed, CloseReason::kNormal);
  EXPECT_THAT(p.user.log, ElementsAre("open", "peer_closed", "closed"));
  EXPECT_EQ(p.layer->stats().truncated.get(), 0u);
  EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
}

TEST_P(Closing, ByUsFirstGoesBehindWhatIsQueuedAndKeepsReceiving) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  const std::string down(600'000, 'x');
  p.user.send(down, p.now);
  p.user.shutdown(p.now);
  p.user.send("too late", p.now);
  p.layer->flush(p.now);
  EXPECT_FALSE(p.tcp.fin_sent) << "most of it does not fit below yet";
  p.exchange();
  EXPECT_TRUE(p.client.received == down);
  EXPECT_TRUE(p.client.peer_closed);
  EXPECT_TRUE(p.tcp.fin_sent);
  p.client.write("still talking");
  p.exchange();
  EXPECT_EQ(p.user.received, "still talking");
  SSL_shutdown(p.client.ssl.get());
  p.exchange();
  EXPECT_TRUE(p.user.peer_closed);
  p.tcp.peer_fin(p.now);
  p.tcp.close(CloseReason::kNormal, p.now);
  EXPECT_EQ(p.user.closed, CloseReason::kNormal);
}

TEST_P(Closing, ByUsIsTheLastThatWeSendWhateverComesBehindIt) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.user.shutdown(p.now);
  p.layer->flush(p.now);
  ASSERT_TRUE(p.tcp.fin_sent);
  const std::size_t sent = p.tcp.sent.size();
  std::string forged("\x17\x03\x03\x00\x20", 5);
  forged.append(32, 'x');
  p.tcp.deliver(forged, 1400, p.now);
  EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
  EXPECT_EQ(p.tcp.sent.size(), sent) << "no alert behind FIN";
}

TEST_P(Closing, WithoutCloseNotifyIsTakenAsClosedAndCounted) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.client.write("whole");
  p.exchange();
  p.client.write("cut in the middle of its record");
  std::string cut = p.client.output();
  cut.resize(cut.size() - 5);
  p.tcp.deliver(cut, 1400, p.now);
  p.tcp.peer_fin(p.now);
  EXPECT_EQ(p.user.received, "whole");
  EXPECT_TRUE(p.user.peer_closed);
  EXPECT_EQ(p.layer->stats().truncated.get(), 1u);
  EXPECT_EQ(p.tcp.unconsumed, 0u);
  p.user.send("answer", p.now);
  p.user.shutdown(p.now);
  p.exchange();
  EXPECT_EQ(p.client.received, "answer");
  p.tcp.close(CloseReason::kNormal, p.now);
  EXPECT_EQ(p.user.closed, CloseReason::kNormal);
}

TEST_P(Closing, AClientThatAnswersOurCloseByAPlainFinIsNotCounted) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.user.shutdown(p.now);
  p.exchange();
  p.tcp.peer_fin(p.now);
  p.tcp.close(CloseReason::kNormal, p.now);
  EXPECT_THAT(p.user.log, ElementsAre("open", "peer_closed", "closed"));
  EXPECT_EQ(p.layer->stats().truncated.get(), 0u);
}

TEST_P(Closing, WhatComesBehindCloseNotifyIsIgnoredAndKeepsNoWindowShut) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  SSL_shutdown(p.client.ssl.get());
  p.exchange();
  p.tcp.deliver(std::string(5000, 'x'), 1400, p.now);
  EXPECT_EQ(p.tcp.unconsumed, 0u);
  EXPECT_EQ(p.user.received, "");
  EXPECT_FALSE(p.user.closed);
  p.user.abort(p.now);
}

TEST_P(Closing, AResetEndsAtOnce) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.user.send(std::string(300'000, 'x'), p.now);
  p.tcp.close(CloseReason::kPeerReset, p.now);
  EXPECT_EQ(p.user.closed, CloseReason::kPeerReset);
  EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
  p.layer->flush(p.now);
}

TEST_P(Closing, BytesThatTheUserHasNoRoomForSurviveTheEndOfTheStreamBelow) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.tcp.bound_in = 1024 * 1024;
  p.user.auto_consume = false;
  const std::string up(600'000, 'u');
  p.client.write(up);
  SSL_shutdown(p.client.ssl.get());
  p.exchange();
  p.user.shutdown(p.now);
  p.layer->flush(p.now);
  p.tcp.peer_fin(p.now);
  p.tcp.close(CloseReason::kNormal, p.now);
  EXPECT_FALSE(p.user.peer_closed);
  while (!p.user.closed) {
    const std::size_t progress = p.user.received.size();
    p.user.consumed(p.user.unconsumed, p.now);
    p.user.send("nobody hears this", p.now);
    p.layer->flush(p.now);
    ASSERT_TRUE(p.user.closed || p.user.received.size() > progress) << "stuck";
  }
  EXPECT_EQ(p.user.received.size(), up.size());
  EXPECT_THAT(p.user.log, ElementsAre("open", "peer_closed", "closed"));
  EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
}

TEST_P(Closing, TheLayerMayGoWithConnectionsOpen) {
  Pair& p = *pair;
  ASSERT_TRUE(p.connect());
  p.user.send("never flushed", p.now);
  p.client.write("never read");
  p.to_server();
  p.layer.reset();
}

}  // namespace
}  // namespace sluice::l7::tls::test
