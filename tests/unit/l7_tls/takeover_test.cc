// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/record_link.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::free_buffers;

struct Case {
  const char* name;
  int version;
  const char* cipher;  ///< OpenSSL's name.
  const char* key;     ///< Of the certificate.
};

/// From OpenSSL's handshake to our records and back, against OpenSSL's own.
class Takeover : public testing::TestWithParam<Case> {
 protected:
  Takeover() {
    CertificateSpec spec;
    spec.key = GetParam().key;
    ServerConfig config;
    config.default_certificate = make_certificate(spec);
    if (GetParam().version == TLS1_3_VERSION) {
      config.policy.ciphersuites = GetParam().cipher;
    } else {
      config.policy.ciphers = GetParam().cipher;
    }
    context_ = make_context(config);
    options.client.min_version = options.client.max_version = GetParam().version;
  }
  ~Takeover() override { EXPECT_EQ(free_buffers(), before_); }

  const std::size_t before_ = free_buffers();
  std::shared_ptr<const ServerContext> context_;
  Pair::Options options;
};
INSTANTIATE_TEST_SUITE_P(
    Suite, Takeover,
    testing::Values(Case{"Aes128Tls13", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "P-256"},
                    Case{"Aes256Tls13", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "P-256"},
                    Case{"ChaChaTls13", TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "RSA-2048"},
                    Case{"EcdsaAes128Tls12", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-256"},
                    Case{"RsaAes128Tls12", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "RSA-2048"},
                    Case{"EcdsaAes256Tls12", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "P-256"},
                    Case{"RsaAes256Tls12", TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "RSA-2048"},
                    Case{"EcdsaChaChaTls12", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "P-256"},
                    Case{"RsaChaChaTls12", TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", "RSA-2048"},
                    Case{"RsaKeyTls12", TLS1_2_VERSION, "AES256-GCM-SHA384", "RSA-2048"}),
    [](const auto& i) { return i.param.name; });

void expect_both_ways(Pair& p, std::size_t n) {
  const std::string up = pattern(n), down = pattern(n + 100);
  const std::size_t was_up = p.user.received.size(), was_down = p.client.received.size();
  p.client.write(up);
  p.user.send(down, p.now);
  p.exchange();
  EXPECT_TRUE(p.user.received.substr(was_up) == up);
  EXPECT_TRUE(p.client.received.substr(was_down) == down);
}

TEST_P(Takeover, RecordsAreOursAfterAFullAndAResumedHandshake) {
  SSL_SESSION* session = nullptr;
  {
    Pair p(context_, options);
    ASSERT_TRUE(p.connect());
    EXPECT_EQ(p.layer->stats().taken_over.get(), 1u);
    EXPECT_EQ(p.layer->stats().left_with_openssl.get(), 0u);
    EXPECT_EQ(p.user.info.cipher, GetParam().cipher);
    for (const std::size_t n : {1, 1000, 100'000}) expect_both_ways(p, n);
    p.user.shutdown(p.now);
    p.exchange();
    EXPECT_TRUE(p.client.peer_closed);
    ASSERT_FALSE(p.client.sessions.empty());
    session = SSL_SESSION_dup(p.client.sessions.back());
    p.user.abort(p.now);
  }
  options.client.session = session;
  Pair p(context_, options);
  ASSERT_TRUE(p.connect());
  EXPECT_TRUE(p.user.info.resumed);
  EXPECT_EQ(p.layer->stats().taken_over.get(), 1u);
  for (const std::size_t n : {1, 1000, 100'000}) expect_both_ways(p, n);
  p.user.abort(p.now);
  SSL_SESSION_free(session);
}

TEST_P(Takeover, DataThatComesWithTheLastBytesOfTheHandshakeIsNotLost) {
  Pair p(context_, options);
  p.client.handshake();
  for (int i = 0; i < 20 && !SSL_is_init_finished(p.client.ssl.get()); ++i) {
    p.to_server();
    p.to_client();
  }
  ASSERT_TRUE(SSL_is_init_finished(p.client.ssl.get()));
  p.client.write("right behind Finished");
  SSL_shutdown(p.client.ssl.get());
  p.exchange();
  EXPECT_EQ(p.user.received, "right behind Finished");
  EXPECT_TRUE(p.user.peer_closed);
  p.user.abort(p.now);
}

TEST_P(Takeover, OpensslUnderstandsOurAlert) {
  Pair p(context_, options);
  ASSERT_TRUE(p.connect());
  p.client.write("bad");
  std::string wire = p.client.output();
  wire.back() = static_cast<char>(wire.back() ^ 1);
  p.tcp.deliver(wire, 1400, p.now);
  p.exchange();
  EXPECT_THAT(p.client.error, testing::HasSubstr("bad record mac"));
  EXPECT_EQ(p.layer->stats().records_failed.get(), 1u);
}

TEST_P(Takeover, KeysChangeAtTheClientsWish) {
  if (GetParam().version != TLS1_3_VERSION) return;
  Pair p(context_, options);
  ASSERT_TRUE(p.connect());
  for (const int wish : {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    ASSERT_EQ(SSL_key_update(p.client.ssl.get(), wish), 1);
    expect_both_ways(p, 20'000);
  }
  EXPECT_FALSE(p.client.failed);
  p.user.abort(p.now);
}

TEST(LeftWithOpenssl, CbcSuitesAndShorterFragmentsWorkAndAreCounted) {
  ServerConfig config;
  config.policy = *find_policy("tls_cipher_policy_1_2_strict");
  for (const bool cbc : {true, false}) {
    Pair::Options options;
    options.client.max_version = TLS1_2_VERSION;
    if (cbc) options.client.ciphers = "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256";
    Pair p(make_context(config), options);
    if (!cbc) { ASSERT_EQ(SSL_set_tlsext_max_fragment_length(p.client.ssl.get(), TLSEXT_max_fragment_length_1024), 1); }
    ASSERT_TRUE(p.connect());
    EXPECT_EQ(p.layer->stats().taken_over.get(), 0u);
    EXPECT_EQ(p.layer->stats().left_with_openssl.get(), 1u);
    for (const std::size_t n : {1, 1000, 100'000}) expect_both_ways(p, n);
    SSL_shutdown(p.client.ssl.get());
    p.exchange();
    EXPECT_TRUE(p.user.peer_closed);
    p.user.shutdown(p.now);
    p.exchange();
    EXPECT_TRUE(p.client.peer_closed);
  }
}

}  // namespace
}  // namespace sluice::l7::tls::test
