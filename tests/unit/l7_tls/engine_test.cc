// SPDX-License-Identifier: Apache-2.0
// Handshakes whose operations an engine does, asynchronously: tests/support/async_engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/provider.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <random>

#include "l7/tls/async_jobs.h"
#include "tests/unit/l7_tls/crowd.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::buffers;
using testing::HasSubstr;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kJobs = 32;
constexpr unsigned kOperations = 3;  ///< Of a full handshake: a fresh key, the secret, the signature.

constexpr bool threaded() { return SLUICE_TEST_ENGINE_THREAD != 0; }

/// Loaded once a process; what cannot be loaded is tried before.
const CryptoEngine& engine() {
  static const CryptoEngine* const loaded = [] {
    const auto error = [](const CryptoEngineConfig& c) {
      const auto r = CryptoEngine::load(c);
      return r.ok() ? std::string("loaded") : r.error().message;
    };
    if (threaded()) setenv("SLUICE_TEST_ENGINE_THREAD", "1", 1);
    EXPECT_THAT(error({"qatengnie", {}}), HasSubstr("engine \"qatengnie\" cannot be loaded: "));
    EXPECT_THAT(error({"/nowhere/engine.so", {}}), HasSubstr("/nowhere/engine.so: cannot open shared object file"));
    EXPECT_THAT(error({SLUICE_TEST_ENGINE, {"SEDE=1"}}), HasSubstr("refuses the command \"SEDE=1\": "));
    setenv("SLUICE_TEST_ENGINE_NO_X25519", "1", 1);
    EXPECT_THAT(error({SLUICE_TEST_ENGINE, {}, kJobs, {EngineAlgorithm::kRsa, EngineAlgorithm::kX25519}}), HasSubstr("does not do x25519"));
    unsetenv("SLUICE_TEST_ENGINE_NO_X25519");
    EXPECT_THAT(error({SLUICE_TEST_ENGINE, {"SEED=one"}}), HasSubstr("refuses the command \"SEED=one\": "));
    auto r = CryptoEngine::load({SLUICE_TEST_ENGINE, {"SEED=7"}, kJobs});
    EXPECT_TRUE(r.ok()) << (r.ok() ? "" : r.error().message);
    EXPECT_THAT(error({SLUICE_TEST_ENGINE, {}}), HasSubstr("is loaded already"));
    return r.ok() ? *r : nullptr;
  }();
  return *loaded;
}

class Engine : public testing::Test, protected Crowd {
 protected:
  Engine() : Crowd(std::chrono::microseconds(threaded() ? 20 : 0)) {
    set({"DELAY=4", "FAIL_PERCENT=0", "FULL_PERCENT=0", "HOLD=0"});
    ServerConfig config;
    config.default_certificate = make_certificate({.key = "RSA-2048"});
    config.certificates = {make_certificate({.key = "P-256", .dns_names = {"ec.test"}})};
    context_ = make_context(config);
    layer_ = std::make_unique<TlsLayer>(WorkerId{0}, buffers(), timers_, 1024, nullptr, &engine());
  }
  ~Engine() override { set({"HOLD=0", "RELEASE"}); }

  void set(std::initializer_list<const char*> commands) {
    for (const char* c : commands) ASSERT_TRUE(engine().command(c).ok()) << c;
  }
  Client::Options options(int version, const char* name = "") {
    Client::Options o;
    o.min_version = o.max_version = version;
    o.server_name = name;
    o.groups = "X25519:P-256";  // of TLS 1.2, the curve of an ECDSA key as well
    return o;
  }
  using Crowd::peer;
  Peer& peer() { return peer(options(TLS1_3_VERSION)); }
  /// Four kinds, one after the other.
  Peer& peer_of_kind(std::size_t i) {
    return peer(options(i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION, i % 4 < 2 ? "" : "ec.test"));
  }
  bool all_open() const {
    return std::ranges::all_of(peers_, [](const auto& p) { return p->user.open; });
  }
};

TEST_F(Engine, HundredsOfHandshakesEndInWhateverOrderItFinishes) {
  for (std::size_t i = 0; i < 300; ++i) speak(peer_of_kind(i));
  std::uint64_t most = 0;
  ASSERT_TRUE(loop_until([&] {
    most = std::max(most, stats().engine_jobs_in_flight.get());
    return all_open();
  }));
  EXPECT_EQ(stats().handshakes.get(), 300u);
  EXPECT_EQ(stats().engine_jobs.get(), 300 * kOperations);
  EXPECT_EQ(stats().engine_jobs_finished.get(), 300 * kOperations);
  EXPECT_EQ(stats().engine_jobs_in_flight.get(), 0u);
  if (!threaded()) { EXPECT_GE(most, AsyncJobs::kBatch); }
  EXPECT_EQ(stats().engine_failures.get(), 0u);
  for (auto& p : peers_) {
    p->client.write("ping");
    p->tcp.deliver(p->client.output(), 1400, now_);
    EXPECT_EQ(p->user.received, "ping");
  }
}

TEST_F(Engine, NoMoreJobsThanAllowedTheRestWaitsForItsTurn) {
  set({"HOLD=1"});
  for (std::size_t i = 0; i < kJobs + 20; ++i) speak(peer());
  for (int i = 0; i < 100; ++i) loop();
  EXPECT_EQ(stats().engine_jobs_in_flight.get(), kJobs);
  EXPECT_EQ(stats().handshakes_waiting.get(), 20u);
  EXPECT_GT(stats().engine_jobs_held_back.get(), 0u);
  set({"HOLD=0", "RELEASE"});
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
}

TEST_F(Engine, AnOperationThatItFailsIsDoneInSoftwareInTheSameHandshake) {
  set({"FAIL_PERCENT=40"});
  for (std::size_t i = 0; i < 120; ++i) speak(peer_of_kind(i));
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().handshakes.get(), 120u);
  EXPECT_EQ(stats().handshakes_failed.get(), 0u);
  EXPECT_GT(stats().engine_failures.get(), 20u);
}

TEST_F(Engine, AKeyExchangeThatItFailsIsDoneInSoftwareInTheSameHandshake) {
  set({"FAIL_PERCENT=100"});
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    Peer& p = peer(options(version));
    speak(p);
    ASSERT_TRUE(loop_until([&] { return p.user.open; }));
  }
  EXPECT_EQ(stats().engine_failures.get(), 2 * kOperations);
}

TEST_F(Engine, AnotherGroupThanItHasIsSoftwares) {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    Client::Options o = options(version);
    o.groups = "P-256";
    speak(peer(o));
  }
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_jobs.get(), 2u) << "the signatures";
}

TEST_F(Engine, AClientsShareThatYieldsNoSecretIsNotItsFault) {
  Peer& p = peer();
  p.client.handshake();
  std::string hello = p.client.output();
  const auto share = hello.find(std::string("\x00\x1d\x00\x20", 4));  // X25519, 32 bytes (RFC 8446, 4.2.8)
  ASSERT_NE(share, std::string::npos);
  hello.replace(share + 4, 32, 32, '\0');
  p.tcp.deliver(hello, 1400, now_);
  ASSERT_TRUE(loop_until([&] { return p.user.ended; }));
  EXPECT_EQ(stats().handshakes_failed.get(), 1u);
  EXPECT_EQ(stats().engine_failures.get(), 0u);
}

TEST_F(Engine, WhoDoesNotAskForItGetsOpensslsOwnKeyExchange) {
  const auto provider = [](const char* properties) {
    EVP_KEYMGMT* keys = EVP_KEYMGMT_fetch(nullptr, "X25519", properties);
    const std::string out = OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(keys));
    EVP_KEYMGMT_free(keys);
    return out;
  };
  EXPECT_EQ(provider(nullptr), "default");
  EXPECT_EQ(provider(server_properties().c_str()), "sluice");
  EXPECT_EQ(provider(nullptr), "default");
}

TEST_F(Engine, OneThatHasNoRoomIsAskedAgain) {
  set({"FULL_PERCENT=60"});
  for (std::size_t i = 0; i < 100; ++i) speak(peer_of_kind(i));
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_GT(stats().engine_jobs.get(), 150u);
  EXPECT_EQ(stats().engine_failures.get(), 0u);
}

TEST_F(Engine, OneThatNeverHasRoomIsDoneWithout) {
  set({"FULL_PERCENT=100"});
  for (std::size_t i = 0; i < 3; ++i) speak(peer());
  loop_for(AsyncJobs::kStall + milliseconds(200));
  EXPECT_EQ(stats().engine_stalls.get(), 1u);
  speak(peer());
  ASSERT_TRUE(loop_until([&] { return peers_.back()->user.open; }));
  EXPECT_EQ(stats().engine_jobs_in_flight.get(), 3u);
  set({"FULL_PERCENT=0"});
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
}

TEST_F(Engine, AfterFailuresInARowItIsLeftAloneAndTriedAgainLater) {
  set({"FAIL_PERCENT=100"});
  for (std::size_t i = 0; i < 40; ++i) speak(peer());
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_suspended.get(), 1u);
  EXPECT_GT(stats().engine_bypassed.get(), 0u);
  const std::uint64_t failures = stats().engine_failures.get();
  EXPECT_GE(failures, AsyncJobs::kFailuresInARow);

  now_ += AsyncJobs::kPause;  // the trial fails as well
  for (std::size_t i = 0; i < 10; ++i) speak(peer());
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_failures.get(), failures + 1);
  EXPECT_EQ(stats().engine_suspended.get(), 1u);

  set({"FAIL_PERCENT=0"});
  now_ += AsyncJobs::kPause;
  const std::uint64_t jobs = stats().engine_jobs.get();
  speak(peer());
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_jobs.get(), jobs + kOperations);
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
  speak(peer());
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_jobs.get(), jobs + 2 * kOperations);
}

TEST_F(Engine, ATrialThatNeedsNoPrivateKeyIsFollowedByAnother) {
  set({"FAIL_PERCENT=100"});
  for (std::size_t i = 0; i < 10; ++i) speak(peer());
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  ASSERT_EQ(stats().engine_suspended.get(), 1u);
  set({"FAIL_PERCENT=0"});
  now_ += AsyncJobs::kPause;
  Peer& leaves = peer();
  leaves.client.handshake();
  leaves.tcp.deliver(leaves.client.output().substr(0, 60), 1400, now_);
  loop();
  leaves.tcp.close(CloseReason::kPeerReset, now_);
  peers_.pop_back();
  now_ += AsyncJobs::kStall;
  loop();
  speak(peer());
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
}

TEST_F(Engine, WhenItStallsItIsDoneWithoutAndHoldsUpNobodyElse) {
  set({"HOLD=1"});
  for (std::size_t i = 0; i < 5; ++i) speak(peer_of_kind(2 * i));
  for (int i = 0; i < 50; ++i) loop();
  ASSERT_EQ(stats().engine_jobs_in_flight.get(), 5u);
  loop_for(AsyncJobs::kStall + milliseconds(200));
  EXPECT_EQ(stats().engine_stalls.get(), 1u);
  EXPECT_EQ(stats().engine_suspended.get(), 1u);
  Peer& late = peer();
  speak(late);
  ASSERT_TRUE(loop_until([&] { return late.user.open; }));

  set({"HOLD=0"});  // yet the five stay where they are
  loop_for(AsyncJobs::kPause);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(peers_[i]->user.closed, CloseReason::kTimeout);
  EXPECT_EQ(stats().engine_jobs_in_flight.get(), 5u) << "their memory is the engine's";
  EXPECT_EQ(stats().sessions.get(), 6u);
  Peer& back = peer();
  speak(back);
  ASSERT_TRUE(loop_until([&] { return back.user.open; }));
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
  loop_for(seconds(30));
  EXPECT_EQ(stats().engine_stalls.get(), 1u) << "what is lost is told of once";

  set({"HOLD=0", "RELEASE"});
  ASSERT_TRUE(loop_until([&] { return stats().engine_jobs_in_flight.get() == 0; }));
  EXPECT_EQ(stats().sessions.get(), 2u);
}

TEST_F(Engine, AMachineThatStoodStillIsNotTheEngineThatStalls) {
  set({"HOLD=1"});
  speak(peer());
  for (int i = 0; i < 50; ++i) loop();
  ASSERT_EQ(stats().engine_jobs_in_flight.get(), 1u);
  now_ += AsyncJobs::kStall;
  loop();
  loop_for(AsyncJobs::kStall / 2);
  EXPECT_EQ(stats().engine_stalls.get(), 0u);
  loop_for(AsyncJobs::kStall / 2 + milliseconds(200));
  EXPECT_EQ(stats().engine_stalls.get(), 1u);
  set({"HOLD=0", "RELEASE"});
  ASSERT_TRUE(loop_until([&] { return stats().engine_jobs_in_flight.get() == 0; }));
}

TEST_F(Engine, WithAllPlacesLostThereIsNoFurtherTrial) {
  set({"HOLD=1"});
  for (std::size_t i = 0; i < kJobs; ++i) speak(peer());
  for (int i = 0; i < 100; ++i) loop();
  ASSERT_EQ(stats().engine_jobs_in_flight.get(), kJobs);
  loop_for(seconds(40));
  EXPECT_EQ(stats().engine_stalls.get(), 1u);
  EXPECT_EQ(stats().engine_suspended.get(), 1u);
  Peer& late = peer();
  speak(late);
  ASSERT_TRUE(loop_until([&] { return late.user.open; }));
  EXPECT_EQ(stats().engine_jobs_in_flight.get(), kJobs);
}

TEST_F(Engine, WhoLeavesMeanwhileLeavesNothingBehind) {
  std::mt19937 chance(3);
  set({"DELAY=20", "FULL_PERCENT=20", "FAIL_PERCENT=20"});
  std::vector<Peer*> left;
  for (std::size_t i = 0; i < 400; ++i) {
    Peer& p = peer_of_kind(i);
    speak(p);
    for (int loops = static_cast<int>(chance() % 4); loops > 0; --loops) loop();
    Peer& leaves = *peers_[chance() % peers_.size()];
    if (leaves.user.open || leaves.user.ended || leaves.tcp.gone()) continue;
    left.push_back(&leaves);
    switch (chance() % 4) {
      case 0: leaves.user.abort(now_); break;
      case 1: leaves.tcp.close(CloseReason::kPeerReset, now_); break;
      case 2: leaves.tcp.close(CloseReason::kNormal, now_); break;
      default: leaves.tcp.peer_fin(now_); break;
    }
  }
  ASSERT_GT(left.size(), 25u);
  ASSERT_TRUE(loop_until([&] {
    return stats().engine_jobs_in_flight.get() == 0 && stats().handshakes_waiting.get() == 0 &&
           std::ranges::all_of(peers_, [](const auto& p) { return p->user.open || p->user.ended; });
  }));
  for (auto& p : peers_) {
    if (p->user.open && !p->user.ended) p->user.abort(now_);
  }
  loop_for(seconds(3));  // lingering
  EXPECT_EQ(stats().sessions.get(), 0u);
  EXPECT_EQ(stats().engine_jobs.get(), stats().engine_jobs_finished.get());
}

TEST_F(Engine, AHandshakeThatTakesTooLongTimesOutAndGoesWhenTheEngineIsDone) {
  set({"HOLD=1"});
  Peer& p = peer();
  speak(p);
  for (int i = 0; i < 20; ++i) loop();
  ASSERT_EQ(stats().engine_jobs_in_flight.get(), 1u);
  now_ += seconds(11);
  timers_.advance(now_);
  EXPECT_EQ(p.user.closed, CloseReason::kTimeout);
  EXPECT_TRUE(p.tcp.aborted);
  EXPECT_EQ(stats().sessions.get(), 1u);
  set({"HOLD=0", "RELEASE"});
  ASSERT_TRUE(loop_until([&] { return stats().sessions.get() == 0; }));
}

TEST_F(Engine, AFinMeanwhileIsSeenWhenItIsDone) {
  set({"HOLD=1"});
  Peer& p = peer();
  speak(p);
  layer_->shake_hands(now_);
  ASSERT_EQ(stats().engine_jobs_in_flight.get(), 1u);
  p.tcp.peer_fin(now_);
  EXPECT_FALSE(p.user.ended);
  set({"HOLD=0", "RELEASE"});
  ASSERT_TRUE(loop_until([&] { return p.user.ended; }));
  EXPECT_EQ(p.user.error, "connection closed in the handshake");
  EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
  p.tcp.close(CloseReason::kNormal, now_);
  EXPECT_EQ(stats().sessions.get(), 0u);
}

TEST_F(Engine, RecordsThatStayWithOpensslAreNoJobs) {
  Client::Options o = options(TLS1_2_VERSION);
  o.ciphers = "ECDHE-RSA-AES128-SHA";
  ServerConfig config;
  config.default_certificate = make_certificate({.key = "RSA-2048"});
  config.policy.ciphers = "ECDHE-RSA-AES128-SHA";
  context_ = make_context(config);
  Peer& p = peer(o);
  speak(p);
  ASSERT_TRUE(loop_until([&] { return p.user.open; }));
  ASSERT_EQ(stats().left_with_openssl.get(), 1u);
  EXPECT_EQ(stats().engine_jobs.get(), kOperations);
  p.client.write("ping");
  p.tcp.deliver(p.client.output(), 1400, now_);
  EXPECT_EQ(p.user.received, "ping");
  p.user.abort(now_);
}

TEST_F(Engine, EarlyDataIsReadInTheSameStepsThatItPauses) {
  ReplayGuard guard(1024, std::time(nullptr) - 100);
  layer_ = std::make_unique<TlsLayer>(WorkerId{0}, buffers(), timers_, 1024, nullptr, &engine(), &guard);
  ServerConfig config;
  config.default_certificate = make_certificate({.key = "RSA-2048"});
  config.early_data = true;
  context_ = make_context(config);
  layer_->use_ticket_keys(&some_ticket_keys());
  for (std::size_t i = 0; i < 20; ++i) speak(peer_of_kind(i));
  ASSERT_TRUE(loop_until([&] { return all_open() && stats().engine_jobs_in_flight.get() == 0; }));
  EXPECT_GE(stats().engine_jobs.get(), 20u);
  Peer& first = *peers_.front();
  ASSERT_TRUE(loop_until([&] { return !first.client.sessions.empty(); }));
  Client::Options again = options(TLS1_3_VERSION);
  again.session = first.client.sessions.back();
  const std::uint64_t jobs = stats().engine_jobs.get();
  Peer& p = peer(again);
  p.client.write_early("early");
  speak(p);
  ASSERT_TRUE(loop_until([&] { return p.user.received == "early"; }));
  p.user.send("answer", now_);
  ASSERT_TRUE(loop_until([&] { return p.client.received == "answer" && p.user.stream->handshake_complete(); }));
  EXPECT_EQ(stats().early_data_accepted.get(), 1u);
  EXPECT_EQ(stats().engine_jobs.get(), jobs + 2) << "a key and a secret of X25519, nothing to sign";
  for (auto& each : peers_) each->user.abort(now_);
}

TEST_F(Engine, TheLayerMayGoWhileItIsAtWork) {
  for (std::size_t i = 0; i < 20; ++i) speak(peer_of_kind(2 * i));
  for (int i = 0; i < 6; ++i) layer_->shake_hands(now_);
  EXPECT_GT(stats().engine_jobs_in_flight.get() + stats().engine_jobs_finished.get(), 0u);
  layer_.reset();
}

TEST_F(Engine, TheLayerMayGoWhileItKeepsWhatItHas) {
  set({"HOLD=1"});
  for (std::size_t i = 0; i < 3; ++i) speak(peer());
  for (int i = 0; i < 20; ++i) loop();
  ASSERT_EQ(stats().engine_jobs_in_flight.get(), 3u);
  layer_.reset();
  set({"HOLD=0", "RELEASE"});  // and then writes to it
  layer_ = std::make_unique<TlsLayer>(WorkerId{0}, buffers(), timers_, 1024, nullptr, &engine());
  speak(peer());
  ASSERT_TRUE(loop_until([&] { return peers_.back()->user.open; }));
}

TEST_F(Engine, WithoutOneNothingPauses) {
  layer_ = std::make_unique<TlsLayer>(WorkerId{0}, buffers(), timers_, 1024);
  set({"HOLD=1"});
  for (std::size_t i = 0; i < 8; ++i) speak(peer_of_kind(i));
  ASSERT_TRUE(loop_until([&] { return all_open(); }));
  EXPECT_EQ(stats().engine_jobs.get(), 0u);
}

}  // namespace
}  // namespace sluice::l7::tls::test
