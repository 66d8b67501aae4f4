// SPDX-License-Identifier: Apache-2.0
// Handshakes whose signatures a provider does, asynchronously: tests/support/async_provider.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "l7/tls/async_jobs.h"
#include "tests/unit/l7_tls/crowd.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::buffers;
using std::chrono::milliseconds;

constexpr unsigned kJobs = 32;

/// Loaded once a process.
const CryptoEngine& provider() {
  static const CryptoEngine* const loaded = [] {
    CryptoEngineConfig config;
    config.jobs = kJobs;
    config.providers = {SLUICE_TEST_PROVIDER};
    config.properties = "?provider=sluice-test";
    auto r = CryptoEngine::load(config);
    EXPECT_TRUE(r.ok()) << (r.ok() ? "" : r.error().message);
    return r.ok() ? *r : nullptr;
  }();
  return *loaded;
}

void set(const char* name, long value) {
  static const auto call = reinterpret_cast<void (*)(const char*, long)>(
      dlsym(dlopen(SLUICE_TEST_PROVIDER, RTLD_NOW), "sluice_test_provider_set"));
  ASSERT_NE(call, nullptr);
  call(name, value);
}

class Provider : public testing::Test, protected Crowd {
 protected:
  Provider() : Crowd(std::chrono::microseconds(20)) {
    layer_ = std::make_unique<TlsLayer>(WorkerId{0}, buffers(), timers_, 1024, nullptr, &provider());
    set("fail", 0);
    set("allow", -1);
    ServerConfig config;
    config.default_certificate = make_certificate({.key = "RSA-2048"});
    context_ = make_context(config);
  }
  ~Provider() override { set("allow", -1); }

  using Crowd::peer;
  Peer& peer(int version = TLS1_3_VERSION) {
    Client::Options o;
    o.min_version = o.max_version = version;
    o.groups = "X25519:P-256";
    Peer& p = peer(o);
    speak(p);
    return p;
  }
  void peers(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) peer(i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
  }
  std::size_t open() const {
    return static_cast<std::size_t>(std::ranges::count_if(peers_, [](const auto& p) { return p->user.open; }));
  }
  std::size_t failed() const {
    return static_cast<std::size_t>(std::ranges::count_if(peers_, [](const auto& p) { return p->user.ended && !p->user.open; }));
  }
  /// `n` more, each of which comes to its end before the next.
  void one_by_one(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      Peer& p = peer();
      ASSERT_TRUE(loop_until([&] { return p.user.open || p.user.ended; }));
    }
  }
};

TEST_F(Provider, HandshakesPauseAndAllOfThemEnd) {
  peers(100);
  ASSERT_TRUE(loop_until([&] { return open() == 100; }));
  EXPECT_EQ(stats().engine_jobs.get(), 100u) << "a signature each";
  EXPECT_EQ(stats().engine_jobs_finished.get(), 100u);
  EXPECT_EQ(stats().engine_failures.get(), 0u);
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
}

TEST_F(Provider, TheyEndInTheOrderThatItLikes) {
  set("allow", 0);
  peers(20);
  ASSERT_TRUE(loop_until([&] { return stats().engine_jobs_in_flight.get() == 20; }));
  std::vector<std::size_t> order;
  for (std::size_t n = 1; n <= 20; ++n) {
    set("allow", 1);
    ASSERT_TRUE(loop_until([&] { return open() == n; }));
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (peers_[i]->user.open && std::ranges::find(order, i) == order.end()) order.push_back(i);
    }
  }
  EXPECT_EQ(order.size(), 20u);
  EXPECT_FALSE(std::ranges::is_sorted(order)) << "in the order that they came in";
}

TEST_F(Provider, NoMoreJobsThanAllowedTheRestWaitsForItsTurn) {
  set("allow", 0);
  peers(kJobs + 5);
  ASSERT_TRUE(loop_until([&] { return stats().engine_jobs_in_flight.get() == kJobs; }));
  for (int i = 0; i < 50; ++i) loop();
  EXPECT_EQ(stats().engine_jobs_in_flight.get(), kJobs);
  EXPECT_EQ(stats().handshakes_waiting.get(), 5u);
  set("allow", -1);
  ASSERT_TRUE(loop_until([&] { return open() == kJobs + 5; }));
}

TEST_F(Provider, AfterFailuresInARowItIsDoneWithoutAndTriedAgainLater) {
  set("fail", 100);
  one_by_one(AsyncJobs::kFailuresInARow + 10);
  EXPECT_EQ(failed(), AsyncJobs::kFailuresInARow);
  EXPECT_EQ(open(), 10u) << "in software";
  EXPECT_EQ(stats().engine_failures.get(), AsyncJobs::kFailuresInARow);
  EXPECT_EQ(stats().engine_suspended.get(), 1u);
  EXPECT_EQ(stats().engine_bypassed.get(), 10u);

  now_ += AsyncJobs::kPause;  // one on trial
  one_by_one(5);
  EXPECT_EQ(open(), 14u);
  EXPECT_EQ(stats().engine_suspended.get(), 1u);

  set("fail", 0);
  now_ += AsyncJobs::kPause;
  const std::uint64_t jobs = stats().engine_jobs.get();
  one_by_one(3);
  EXPECT_EQ(open(), 17u);
  EXPECT_EQ(stats().engine_jobs.get(), jobs + 3);
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
}

TEST_F(Provider, FailuresWithSuccessesBetweenAreTheirClientsAlone) {
  for (int i = 0; i < 3; ++i) {
    set("fail", 100);
    one_by_one(AsyncJobs::kFailuresInARow - 1);
    set("fail", 0);
    one_by_one(1);
  }
  EXPECT_EQ(open(), 3u);
  EXPECT_EQ(stats().engine_failures.get(), 3 * (AsyncJobs::kFailuresInARow - 1));
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
}

TEST_F(Provider, WhenItStallsNewHandshakesAreSoftwares) {
  set("allow", 0);
  peers(4);
  ASSERT_TRUE(loop_until([&] { return stats().engine_jobs_in_flight.get() == 4; }));
  loop_for(AsyncJobs::kStall + milliseconds(200));
  EXPECT_EQ(stats().engine_stalls.get(), 1u);
  EXPECT_EQ(stats().engine_suspended.get(), 1u);
  Peer& late = peer();
  ASSERT_TRUE(loop_until([&] { return late.user.open; }));
  set("allow", -1);
  ASSERT_TRUE(loop_until([&] { return stats().engine_jobs_in_flight.get() == 0 && open() == 5; }));
}

TEST_F(Provider, AClientsShareThatYieldsNoSecretIsNotItsFault) {
  for (unsigned i = 0; i < AsyncJobs::kFailuresInARow; ++i) {
    Client::Options o;
    o.min_version = TLS1_3_VERSION;
    o.groups = "X25519";
    Peer& p = peer(o);
    p.client.handshake();
    std::string hello = p.client.output();
    const auto share = hello.find(std::string("\x00\x1d\x00\x20", 4));  // X25519, 32 bytes (RFC 8446, 4.2.8)
    ASSERT_NE(share, std::string::npos);
    hello.replace(share + 4, 32, 32, '\0');
    p.tcp.deliver(hello, 1400, now_);
    ASSERT_TRUE(loop_until([&] { return p.user.ended; }));
  }
  EXPECT_EQ(stats().handshakes_failed.get(), AsyncJobs::kFailuresInARow);
  EXPECT_EQ(stats().engine_failures.get(), 0u);
  EXPECT_EQ(stats().engine_suspended.get(), 0u);
}

}  // namespace
}  // namespace sluice::l7::tls::test
