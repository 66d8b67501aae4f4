// SPDX-License-Identifier: Apache-2.0
// Many handshakes at a time: one costly step a turn, and who gets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::buffers;
using testing::ElementsAre;

Client::Options only(int version) {
  Client::Options o;
  o.min_version = o.max_version = version;
  return o;
}

/// The server has answered its ClientHello.
bool answered(const Peer& p) { return !p.tcp.sent.empty(); }

class HandshakeQueue : public testing::Test, public HandshakeGate {
 protected:
  ~HandshakeQueue() override {
    for (auto& p : peers_) {
      if (!p->user.ended && p->user.stream != nullptr) p->user.abort(now);
    }
    layer.flush(now);
    peers_.clear();
    EXPECT_EQ(layer.stats().sessions.get(), lingering);
    EXPECT_EQ(layer.stats().handshakes_waiting.get(), 0u);
  }

  Peer& peer(int version = TLS1_3_VERSION) { return peer(only(version)); }
  Peer& peer(const Client::Options& o) {
    Peer& p = *peers_.emplace_back(std::make_unique<Peer>(o));
    p.tcp.events = layer.accept(p.tcp, context, &p.user, &p.user.stream);
    if (p.tcp.events != nullptr) p.tcp.events->on_open(now);
    return p;
  }
  /// What the client has to say now.
  std::string says(Peer& p) {
    p.client.handshake();
    return p.client.output();
  }
  void speak(Peer& p) { p.tcp.deliver(says(p), 1400, now); }
  void hear(Peer& p) { p.client.input(p.tcp.take(1 << 20, now)); }
  void establish(Peer& p) {
    for (int i = 0; i < 4 && !p.user.open; ++i) {
      speak(p);
      layer.shake_hands(now);
      hear(p);
    }
    ASSERT_TRUE(p.user.open);
  }
  bool may_begin(const FlowKey&, Instant) override {
    ++asked;
    return gate_open;
  }

  Instant now{std::chrono::seconds(100)};
  TimerWheel timers{now};
  TlsLayer layer{WorkerId{0}, buffers(), timers, 4096, this};
  std::shared_ptr<const ServerContext> context = make_context();
  bool gate_open = true;
  int asked = 0;
  std::uint64_t lingering = 0;

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
};

TEST_F(HandshakeQueue, ATurnAnswersOneClientAndTheOldestFirst) {
  std::vector<Peer*> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(&peer());
    speak(*all.back());
  }
  for (std::size_t served = 0; served < all.size(); ++served) {
    EXPECT_EQ(layer.stats().handshakes_waiting.get(), all.size() - served);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(answered(*all[i]), i < served) << i;
    EXPECT_TRUE(layer.shake_hands(now));
  }
  EXPECT_TRUE(answered(*all.back()));
  EXPECT_FALSE(layer.shake_hands(now));
}

TEST_F(HandshakeQueue, EstablishedConnectionsGoOnWhileOthersWait) {
  Peer& established = peer();
  establish(established);
  for (int i = 0; i < 20; ++i) speak(peer());
  established.client.write("ping");
  established.tcp.deliver(established.client.output(), 1400, now);
  EXPECT_EQ(established.user.received, "ping");
  established.user.send("pong", now);
  layer.flush(now);
  hear(established);
  established.client.read();
  EXPECT_EQ(established.client.received, "pong");
  EXPECT_EQ(layer.stats().handshakes_waiting.get(), 20u) << "no turn was needed for it";
}

TEST_F(HandshakeQueue, WhatHasBegunGoesBeforeWhatIsNew) {
  Peer& begun = peer(TLS1_2_VERSION);
  speak(begun);
  layer.shake_hands(now);
  hear(begun);
  Peer& fresh = peer();
  speak(fresh);
  speak(begun);  // its half of the key exchange
  EXPECT_FALSE(begun.user.open);
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(begun.user.open);
  EXPECT_FALSE(answered(fresh));
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(answered(fresh));
}

TEST_F(HandshakeQueue, TheEndOfAHandshakeNeedsNoTurn) {
  Peer& p = peer(TLS1_3_VERSION);
  speak(p);
  layer.shake_hands(now);
  hear(p);
  for (int i = 0; i < 3; ++i) speak(peer());
  speak(p);
  EXPECT_TRUE(p.user.open);
}

TEST_F(HandshakeQueue, UnlessACertificateMayComeWithItWhichCostsAsMuchToVerify) {
  const Authority root("Root CA");
  const PemPair shown = root.issue({.common_name = "alice"});
  ServerConfig config;
  config.clients = {ClientAuthentication::Mode::kRequired, *TrustStore::parse(root.certificate(), ""), 1, false};
  context = make_context(config);
  Client::Options o = only(TLS1_3_VERSION);
  o.certificate = shown.certificate;
  o.key = shown.key;
  Peer& p = peer(o);
  speak(p);
  layer.shake_hands(now);
  hear(p);
  speak(p);
  EXPECT_FALSE(p.user.open);
  EXPECT_EQ(layer.stats().handshakes_waiting.get(), 1u);
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(p.user.open);
}

TEST_F(HandshakeQueue, HalfAClientHelloTakesNobodysTurn) {
  Peer& slow = peer();
  const std::string hello = says(slow);
  slow.tcp.deliver(hello.substr(0, 100), 1400, now);
  layer.shake_hands(now);
  slow.tcp.deliver(hello.substr(100, 50), 1400, now);
  Peer& whole = peer();
  speak(whole);
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(answered(whole));
  slow.tcp.deliver(hello.substr(150), 1400, now);
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(answered(slow));
}

TEST_F(HandshakeQueue, AboveTheBoundNewOnesAreResetBeforeTheyCostAnything) {
  const std::string hello = says(peer());
  std::vector<Peer*> all;
  for (std::size_t i = 0; i < TlsLayer::kMaxWaiting; ++i) {
    all.push_back(&peer());
    all.back()->tcp.deliver(hello, 1400, now);
    EXPECT_FALSE(all.back()->tcp.aborted);
  }
  Peer& late = peer();
  late.tcp.deliver(hello, 1400, now);
  EXPECT_TRUE(late.tcp.aborted);
  EXPECT_EQ(late.user.closed, CloseReason::kNoResources);
  EXPECT_EQ(late.user.error, "too many handshakes");
  EXPECT_EQ(layer.stats().handshakes_crowded_out.get(), 1u);
  EXPECT_EQ(layer.stats().handshakes_failed.get(), 0u);

  EXPECT_TRUE(layer.shake_hands(now));
  Peer& next = peer();
  next.tcp.deliver(hello, 1400, now);
  EXPECT_FALSE(next.tcp.aborted) << "there is a place again";
}

TEST_F(HandshakeQueue, WhatHasBegunFindsAPlaceInAFullQueue) {
  Peer& begun = peer(TLS1_2_VERSION);
  speak(begun);
  layer.shake_hands(now);
  hear(begun);
  const std::string hello = says(peer());
  for (std::size_t i = 0; i < TlsLayer::kMaxWaiting; ++i) peer().tcp.deliver(hello, 1400, now);
  speak(begun);
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(begun.user.open);
}

TEST_F(HandshakeQueue, WhoLeavesGivesItsPlaceUp) {
  Peer &first = peer(), &second = peer(), &third = peer(), &fourth = peer();
  for (Peer* p : {&first, &second, &third, &fourth}) speak(*p);
  first.tcp.close(CloseReason::kPeerReset, now);
  second.user.abort(now);
  third.tcp.peer_fin(now);
  lingering = 1;  // its failure is being told
  EXPECT_EQ(layer.stats().handshakes_waiting.get(), 1u);
  EXPECT_TRUE(layer.shake_hands(now));
  EXPECT_TRUE(answered(fourth));
  EXPECT_FALSE(answered(third));
}

TEST_F(HandshakeQueue, TheGateIsAskedOnceForEachAndWhoMayNotIsReset) {
  Peer& in = peer(TLS1_2_VERSION);
  establish(in);
  EXPECT_EQ(asked, 1);
  gate_open = false;
  Peer& out = peer();
  speak(out);
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(out.tcp.aborted);
  EXPECT_THAT(out.user.log, ElementsAre("closed"));
  EXPECT_EQ(layer.stats().handshakes_limited.get(), 1u);
  EXPECT_FALSE(layer.shake_hands(now));
}

TEST_F(HandshakeQueue, AClientThatWaitsTooLongIsTimedOut) {
  Peer& p = peer();
  speak(p);
  now += std::chrono::seconds(11);
  timers.advance(now);
  EXPECT_EQ(p.user.closed, CloseReason::kTimeout);
  EXPECT_EQ(layer.stats().handshakes_waiting.get(), 0u);
  EXPECT_FALSE(layer.shake_hands(now));
}

}  // namespace
}  // namespace sluice::l7::tls::test
