// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <ctime>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

std::shared_ptr<const Staple> staple_of(const std::shared_ptr<const Certificate>& certificate, std::string response,
                                        std::int64_t seconds_left = 3600) {
  return std::make_shared<const Staple>(Staple{certificate, std::move(response), std::time(nullptr) + seconds_left});
}

/// What the client was handed; "none".
std::string handed(const Pair& p) {
  const unsigned char* at = nullptr;
  const long n = SSL_get_tlsext_status_ocsp_resp(p.client.ssl.get(), &at);
  return n < 0 ? "none" : std::string(reinterpret_cast<const char*>(at), static_cast<std::size_t>(n));
}

class Stapling : public testing::TestWithParam<int> {
 protected:
  static Pair::Options client(const char* name, const Staples* staples, bool asks = true) {
    Pair::Options o;
    o.client.server_name = name;
    o.client.min_version = o.client.max_version = GetParam();
    o.client.asks_status = asks;
    o.staples = staples;
    return o;
  }
  static std::uint64_t stapled(const Pair& p) { return p.layer->stats().statuses_stapled.get(); }
  static std::uint64_t missing(const Pair& p) { return p.layer->stats().statuses_missing.get(); }

  const std::shared_ptr<const Certificate> a_ = make_certificate({.common_name = "a", .dns_names = {"a.test"}}),
                                           b_ = make_certificate({.common_name = "b", .dns_names = {"b.test"}});
  const std::shared_ptr<const ServerContext> context_ = [this] {
    ServerConfig config;
    config.default_certificate = a_;
    config.certificates = {a_, b_};
    return make_context(config);
  }();
};
INSTANTIATE_TEST_SUITE_P(Tls, Stapling, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), [](const auto& i) {
  return i.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
});

TEST_P(Stapling, AClientThatAsksIsHandedTheStatusOfTheCertificateThatItIsShown) {
  const Staples both({staple_of(a_, "status of a"), staple_of(b_, std::string(5000, 'b'))});
  Pair a(context_, client("a.test", &both)), b(context_, client("b.test", &both));
  ASSERT_TRUE(a.connect()) << a.client.error;
  ASSERT_TRUE(b.connect()) << b.client.error;
  EXPECT_EQ(handed(a), "status of a");
  EXPECT_EQ(handed(b), std::string(5000, 'b'));
  EXPECT_EQ(stapled(a), 1u);
  EXPECT_EQ(missing(a), 0u);
  a.client.write("ping");
  a.exchange();
  EXPECT_EQ(a.user.received, "ping");
  EXPECT_EQ(a.layer->stats().taken_over.get(), 1u) << "records are our own after it as after any handshake";
}

TEST_P(Stapling, AClientThatDoesNotAskIsHandedNothingAndNotCounted) {
  const Staples some({staple_of(a_, "status of a")});
  Pair p(context_, client("a.test", &some, false));
  ASSERT_TRUE(p.connect());
  EXPECT_EQ(handed(p), "none");
  EXPECT_EQ(stapled(p) + missing(p), 0u);
}

TEST_P(Stapling, WhatHasEndedIsNeverServed) {
  const Staples ended({staple_of(a_, "status of a", 0)});
  Pair p(context_, client("a.test", &ended));
  ASSERT_TRUE(p.connect()) << "it is served without";
  EXPECT_EQ(handed(p), "none");
  EXPECT_EQ(stapled(p), 0u);
  EXPECT_EQ(missing(p), 1u);
}

TEST_P(Stapling, WithoutAStapleOfItsOwnACertificateIsServedWithoutOne) {
  const Staples others({staple_of(b_, "status of b")});
  for (const Staples* staples : {&others, static_cast<const Staples*>(nullptr)}) {
    Pair p(context_, client("a.test", staples));
    ASSERT_TRUE(p.connect());
    EXPECT_EQ(handed(p), "none");
    EXPECT_EQ(missing(p), 1u);
  }
}

TEST_P(Stapling, ANewStapleIsServedByTheSameContextFromTheNextHandshakeOn) {
  const Staples before({staple_of(a_, "before")}), after({staple_of(a_, "after")});
  Pair p(context_, client("a.test", &before));
  p.layer->use_staples(&after);  // a connection that has not said hello yet
  ASSERT_TRUE(p.connect());
  EXPECT_EQ(handed(p), "after");
}

TEST_P(Stapling, AResumedSessionShowsNoCertificateAndNoStatus) {
  const Staples some({staple_of(a_, "status of a")});
  Pair first(context_, client("a.test", &some));
  ASSERT_TRUE(first.connect());
  ASSERT_FALSE(first.client.sessions.empty());
  Pair::Options again = client("a.test", &some);
  again.client.session = first.client.sessions.back();
  Pair second(context_, again);
  ASSERT_TRUE(second.connect());
  ASSERT_TRUE(second.user.info.resumed);
  EXPECT_EQ(handed(second), "none");
  EXPECT_EQ(stapled(second) + missing(second), 0u);
}

}  // namespace
}  // namespace sluice::l7::tls::test
