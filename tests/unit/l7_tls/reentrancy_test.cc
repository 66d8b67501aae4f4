// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/l7_tls/harness.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::free_buffers;

/// Drives a connection through all of its events, whatever the user does in them.
void whole_life(Pair& p) {
  p.connect();
  if (p.user.open && !p.user.ended) {
    p.client.write(std::string(100'000, 'u'));
    p.exchange();
  }
  if (!p.user.ended && !p.user.closed) {
    for (std::size_t n; !p.user.ended && (n = p.user.stream->send_space()) > 0;) {
      p.user.send(std::string(n, 'd'), p.now);
      p.layer->flush(p.now);
    }
  }
  p.exchange();
  if (!p.client.failed) SSL_shutdown(p.client.ssl.get());
  p.exchange();
  p.tcp.peer_fin(p.now);
  p.layer->flush(p.now);
  if (!p.user.ended) p.user.shutdown(p.now);
  p.exchange();
  p.tcp.close(CloseReason::kNormal, p.now);
  p.layer->flush(p.now);
}

class InEvent : public testing::TestWithParam<std::tuple<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Tls, InEvent,
                         testing::Combine(testing::Values("open", "data", "writable", "peer_closed"),
                                          testing::Values("abort", "shutdown", "send", "send+shutdown", "send+abort")),
                         [](const auto& i) {
                           std::string name = std::string(std::get<0>(i.param)) + "_" + std::get<1>(i.param);
                           for (char& c : name) c = c == '+' ? '_' : c;
                           return name;
                         });

TEST_P(InEvent, TheUserMayCallAnything) {
  const std::string event = std::get<0>(GetParam()), action = std::get<1>(GetParam());
  const std::size_t before = free_buffers();
  bool ran = false;
  {
    Pair p(make_context());
    const auto act = [&] {
      if (ran) return;
      ran = true;
      if (action.starts_with("send")) p.user.send(std::string(300'000, 's'), p.now);
      if (action.ends_with("shutdown")) p.user.shutdown(p.now);
      if (action.ends_with("abort")) p.user.abort(p.now);
    };
    if (event == "open") p.user.in_open = act;
    if (event == "data") p.user.in_data = act;
    if (event == "writable") p.user.in_writable = act;
    if (event == "peer_closed") p.user.in_peer_closed = act;
    whole_life(p);
    EXPECT_TRUE(ran);
    EXPECT_TRUE(p.user.ended);
    EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
    EXPECT_EQ(p.tcp.aborted, action.ends_with("abort"));
    if (action == "send+shutdown") {
      EXPECT_NE(p.client.received.find(std::string(300'000, 's')), std::string::npos);
    }
  }
  EXPECT_EQ(free_buffers(), before);
}

TEST(InEvent, TheUserMayAbortBeforeTheHandshakeAndInItsMiddle) {
  const std::size_t before = free_buffers();
  {
    Pair p(make_context());
    p.user.abort(p.now);
    EXPECT_TRUE(p.tcp.aborted);
    EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
    Pair q(make_context());
    q.client.handshake();
    q.to_server();
    q.user.abort(q.now);
    EXPECT_EQ(q.layer->stats().sessions.get(), 0u);
    q.advance(std::chrono::seconds(20));
  }
  EXPECT_EQ(free_buffers(), before);
}

TEST(InEvent, WhatIsSentBeforeTheHandshakeGoesAfterIt) {
  Pair p(make_context());
  p.user.send("early", p.now);
  p.user.shutdown(p.now);
  p.layer->flush(p.now);
  ASSERT_TRUE(p.connect());
  EXPECT_EQ(p.client.received, "early");
  EXPECT_TRUE(p.client.peer_closed);
}

/// Two connections of one layer, as a proxy has them.
TEST(InEvent, TheUserMayAbortAnotherConnectionThatIsReady) {
  const std::size_t before = free_buffers();
  {
    Pair p(make_context());
    ASSERT_TRUE(p.connect());
    FakeTcp tcp;
    User other;
    tcp.events = p.layer->accept(tcp, make_context(), &other, &other.stream);
    other.send("early", p.now);
    p.user.in_writable = [&] { other.abort(p.now); };
    // Ready behind the first one, and gone when its turn comes.
    for (std::size_t n; (n = p.user.stream->send_space()) > 0; p.layer->flush(p.now)) {
      p.user.send(std::string(n, 'd'), p.now);
    }
    other.send("more", p.now);
    p.exchange();
    EXPECT_TRUE(tcp.aborted);
    EXPECT_EQ(p.layer->stats().sessions.get(), 1u);
    p.user.abort(p.now);
  }
  EXPECT_EQ(free_buffers(), before);
}

}  // namespace
}  // namespace sluice::l7::tls::test
