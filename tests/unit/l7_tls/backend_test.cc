// SPDX-License-Identifier: Apache-2.0
// The client's end: TLS to backends, against OpenSSL as the server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "l7/tls/session_cache.h"
#include "tests/unit/l7_tls/backend_link.h"
#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::free_buffers;
using testing::HasSubstr;

struct Case {
  const char* name;
  int version;
  const char* cipher;
  const char* key;
};

class BackendSuites : public testing::TestWithParam<Case> {
 protected:
  ~BackendSuites() override { EXPECT_EQ(free_buffers(), before_); }

  Server server(bool tickets = true) {
    CertificateSpec spec;
    spec.key = GetParam().key;
    spec.dns_names = {"web.test"};
    return Server({ca_.issue(spec), GetParam().version, GetParam().cipher, "", tickets});
  }
  bool tls13() const { return GetParam().version == TLS1_3_VERSION; }

  const std::size_t before_ = free_buffers();
  Authority ca_{"CA"};
  std::shared_ptr<const BackendTls> tls_ = tls_to("web.test", ca_.certificate());
};
INSTANTIATE_TEST_SUITE_P(
    Suite, BackendSuites,
    testing::Values(Case{"Aes128Tls13", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "P-256"},
                    Case{"Aes256Tls13", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "P-256"},
                    Case{"ChaChaTls13", TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "RSA-2048"},
                    Case{"EcdsaAes128Tls12", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-256"},
                    Case{"RsaAes256Tls12", TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "RSA-2048"},
                    Case{"EcdsaChaChaTls12", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "P-256"}),
    [](const auto& i) { return i.param.name; });

TEST_P(BackendSuites, RecordsAreOursAndTheNextConnectionResumes) {
  Worker worker;
  const Server there = server();
  for (const bool again : {false, true, true}) {
    BackendLink link(worker, there, tls_);
    ASSERT_TRUE(link.connect()) << link.user.error << link.error;
    EXPECT_EQ(link.user.info.resumed, again);
    EXPECT_EQ(SSL_session_reused(link.ssl.get()), again ? 1 : 0);
    EXPECT_EQ(link.user.info.cipher, GetParam().cipher);
    for (const std::size_t n : {1, 1000, 100'000}) link.expect_both_ways(n);
    link.user.shutdown(worker.now);
    link.exchange();
    EXPECT_TRUE(link.peer_closed);
  }
  EXPECT_EQ(worker.full(), 1u);
  EXPECT_EQ(worker.resumed(), 2u);
  EXPECT_EQ(worker.layer.backend_stats().taken_over.get(), 3u);
  EXPECT_EQ(worker.layer.backend_stats().left_with_openssl.get(), 0u);
  EXPECT_EQ(worker.layer.stats().handshakes.get(), 0u) << "those are clients'";
}

TEST_P(BackendSuites, AServerWithoutTicketsIsTakenOverWithItsFirstData) {
  Worker worker;
  const Server there = server(false);
  BackendLink link(worker, there, tls_);
  ASSERT_TRUE(link.connect());
  EXPECT_EQ(worker.layer.backend_stats().taken_over.get(), tls13() ? 0u : 1u);
  link.user.send("GET", worker.now);
  link.exchange();
  EXPECT_EQ(link.received, "GET");
  link.write("200");
  link.exchange();
  EXPECT_EQ(link.user.received, "200");
  EXPECT_EQ(worker.layer.backend_stats().taken_over.get(), 1u);
  link.expect_both_ways(50'000);
  BackendLink second(worker, there, tls_);
  ASSERT_TRUE(second.connect());
  EXPECT_FALSE(second.user.info.resumed);
}

/// Tickets, data and close_notify in pieces of any size, and a request that is on its way before they come.
TEST_P(BackendSuites, NothingIsLostHoweverRecordsAreCut) {
  for (const std::size_t segment : {1, 5, 6, 100, 1400}) {
    Worker worker;
    const Server there = server();
    BackendLink link(worker, there, tls_);
    link.segment = segment;
    const std::string up = pattern(40'000), down = pattern(30'000);
    link.user.in_open = [&] { link.user.send(up, worker.now); };
    link.tcp.events->on_open(worker.now);
    while (!link.server_ready()) {
      const bool moved = link.to_server() | link.to_user();
      ASSERT_TRUE(moved || link.server_ready());
    }
    link.write(down);
    SSL_shutdown(link.ssl.get());
    link.exchange();
    EXPECT_TRUE(link.received == up) << segment;
    EXPECT_TRUE(link.user.received == down) << segment;
    EXPECT_TRUE(link.user.peer_closed) << segment;
    EXPECT_FALSE(link.user.stream->truncated());
    EXPECT_EQ(worker.layer.backend_stats().taken_over.get(), 1u);
  }
}

TEST_P(BackendSuites, KeysChangeAtTheServersWish) {
  if (!tls13()) return;
  for (const bool tickets : {true, false}) {  // Without, before there was anything to take over by.
    Worker worker;
    const Server there = server(tickets);
    BackendLink link(worker, there, tls_);
    ASSERT_TRUE(link.connect());
    for (const int wish : {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      ASSERT_EQ(SSL_key_update(link.ssl.get(), wish), 1);
      link.expect_both_ways(20'000);
    }
    EXPECT_EQ(link.error, "");
    EXPECT_EQ(worker.layer.backend_stats().taken_over.get(), tickets ? 1u : 0u);
    EXPECT_EQ(worker.layer.backend_stats().left_with_openssl.get(), tickets ? 0u : 1u);
  }
}

TEST_P(BackendSuites, AnEndWithoutCloseNotifyIsToldAsTruncated) {
  Worker worker;
  const Server there = server();
  BackendLink link(worker, there, tls_);
  ASSERT_TRUE(link.connect());
  link.write("half of it");
  link.exchange();
  link.tcp.peer_fin(worker.now);
  EXPECT_EQ(link.user.received, "half of it");
  EXPECT_TRUE(link.user.peer_closed);
  EXPECT_TRUE(link.user.stream->truncated());
  EXPECT_EQ(worker.layer.backend_stats().truncated.get(), 1u);
}

TEST_P(BackendSuites, ABadRecordEndsTheConnection) {
  Worker worker;
  const Server there = server();
  BackendLink link(worker, there, tls_);
  ASSERT_TRUE(link.connect());
  link.expect_both_ways(10);
  link.write("bad");
  std::string wire(BIO_ctrl_pending(SSL_get_wbio(link.ssl.get())), '\0');
  BIO_read(SSL_get_wbio(link.ssl.get()), wire.data(), static_cast<int>(wire.size()));
  wire.back() = static_cast<char>(wire.back() ^ 1);
  link.tcp.deliver(wire, 1400, worker.now);
  EXPECT_EQ(link.user.closed, CloseReason::kProtocolError);
  link.exchange();
  EXPECT_THAT(link.error, HasSubstr("bad record mac"));
  EXPECT_EQ(worker.layer.backend_stats().records_failed.get(), 1u);
}

TEST(BackendRecords, CbcSuitesStayWithOpensslAndResume) {
  Worker worker;
  const Server there({make_pem({}), TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", "", true});
  BackendConfig config;
  config.policy = *find_policy("tls_cipher_policy_1_2_strict");
  const auto tls = tls_to("web.test", "", config);
  for (const bool again : {false, true}) {
    BackendLink link(worker, there, tls);
    ASSERT_TRUE(link.connect()) << link.user.error;
    EXPECT_EQ(link.user.info.resumed, again);
    link.expect_both_ways(50'000);
  }
  EXPECT_EQ(worker.layer.backend_stats().left_with_openssl.get(), 2u);
}

// ---- Whom it trusts ----

class BackendTrust : public testing::TestWithParam<int> {
 protected:
  static CertificateSpec named(const std::string& name) {
    CertificateSpec spec;
    spec.dns_names = {name};
    return spec;
  }
  /// Why not; "fine" otherwise.
  std::string attempt(const PemPair& pem, std::shared_ptr<const BackendTls> tls, const std::string& clients = "") {
    const Server there({pem, GetParam(), "", clients, true});
    Worker worker;
    BackendLink link(worker, there, std::move(tls));
    const bool open = link.connect();
    sni = link.server_name();
    servers_error = link.error;
    refused = worker.layer.backend_stats().peers_refused.get();
    failed = worker.layer.backend_stats().handshakes_failed.get();
    reason = link.user.closed;
    if (X509* shown = SSL_get0_peer_certificate(link.ssl.get()); shown != nullptr && open)
      clients_name = name_text(X509_get_subject_name(shown), false);
    if (open && !link.user.closed) {
      link.expect_both_ways(1000);
      return "fine";
    }
    return link.user.error;
  }

  Authority ca_{"CA"}, stranger_{"CA"};
  std::string sni, servers_error, clients_name;
  std::uint64_t refused = 0, failed = 0;
  std::optional<CloseReason> reason;
};
INSTANTIATE_TEST_SUITE_P(Version, BackendTrust, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& i) { return i.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

TEST_P(BackendTrust, TheNameIsAskedForAndVerified) {
  const PemPair pem = ca_.issue(named("web.test"));
  EXPECT_EQ(attempt(pem, tls_to("web.test", ca_.certificate())), "fine");
  EXPECT_EQ(sni, "web.test");
  EXPECT_THAT(attempt(pem, tls_to("other.test", ca_.certificate())), HasSubstr("hostname mismatch"));
  EXPECT_EQ(reason, CloseReason::kProtocolError);
  EXPECT_EQ(refused, 1u);
  EXPECT_EQ(failed, 1u);
  EXPECT_THAT(servers_error, HasSubstr("alert"));
  EXPECT_EQ(attempt(ca_.issue(named("*.web.test")), tls_to("a.web.test", ca_.certificate())), "fine");
}

TEST_P(BackendTrust, WithoutANameTheAddressIsVerifiedAndNoNameSent) {
  CertificateSpec spec = named("web.test,IP:10.0.0.2");  // Of the subject's alternative names, as OpenSSL writes them.
  EXPECT_EQ(attempt(ca_.issue(spec), tls_to("", ca_.certificate())), "fine");
  EXPECT_EQ(sni, "");
  EXPECT_THAT(attempt(ca_.issue(named("web.test,IP:10.0.0.3")), tls_to("", ca_.certificate())), HasSubstr("IP address mismatch"));
  EXPECT_THAT(attempt(ca_.issue(named("web.test")), tls_to("", ca_.certificate())), HasSubstr("IP address mismatch"));
}

TEST_P(BackendTrust, StrangersAndExpiredCertificatesAreRefused) {
  EXPECT_THAT(attempt(stranger_.issue(named("web.test")), tls_to("web.test", ca_.certificate())), HasSubstr("certificate"));
  EXPECT_EQ(refused, 1u);
  CertificateSpec old = named("web.test");
  old.not_before = -7200;
  old.not_after = -3600;
  EXPECT_THAT(attempt(ca_.issue(old), tls_to("web.test", ca_.certificate())), HasSubstr("certificate has expired"));
  EXPECT_THAT(attempt(make_pem(named("web.test")), tls_to("web.test", ca_.certificate())), HasSubstr("self-signed certificate"));
}

TEST_P(BackendTrust, AChainIsAsLongAsItMayBe) {
  const Authority middle("Middle", ca_), last("Last", middle);
  PemPair pem = last.issue(named("web.test"));
  pem.certificate += last.certificate() + middle.certificate();
  BackendConfig config;
  EXPECT_EQ(attempt(pem, tls_to("web.test", ca_.certificate(), config)), "fine") << "by default";
  config.depth = 2;
  EXPECT_EQ(attempt(pem, tls_to("web.test", ca_.certificate(), config)), "fine");
  config.depth = 1;
  EXPECT_THAT(attempt(pem, tls_to("web.test", ca_.certificate(), config)), HasSubstr("certificate chain too long"));
  EXPECT_EQ(refused, 1u);
  EXPECT_EQ(attempt(pem, tls_to("web.test", middle.certificate(), config)), "fine") << "one that is believed ends it";
}

TEST_P(BackendTrust, TheSystemsAuthoritiesDoNotKnowOurs) {
  const auto context = BackendContext::create({}, 1);
  ASSERT_TRUE(context.ok()) << context.error().message;
  const auto tls = std::make_shared<const BackendTls>(BackendTls{*context, "web.test"});
  EXPECT_THAT(attempt(ca_.issue(named("web.test")), tls), HasSubstr("unable to get local issuer certificate"));
}

TEST_P(BackendTrust, WhatIsNotVerifiedMayBeAnything) {
  EXPECT_EQ(attempt(stranger_.issue(named("other.test")), tls_to("web.test", "")), "fine");
  EXPECT_EQ(sni, "web.test");
}

TEST_P(BackendTrust, ACertificateIsShownToWhoAsks) {
  const PemPair pem = ca_.issue(named("web.test"));
  const PemPair ours = stranger_.issue({.common_name = "gateway"});
  BackendConfig config;
  config.certificate = *Certificate::parse(ours.certificate, ours.key);
  EXPECT_EQ(attempt(pem, tls_to("web.test", ca_.certificate(), config), stranger_.certificate()), "fine");
  EXPECT_EQ(clients_name, "CN=gateway");
  // Without one: in TLS 1.3 the refusal comes when the connection is open already.
  EXPECT_THAT(attempt(pem, tls_to("web.test", ca_.certificate()), stranger_.certificate()), HasSubstr("alert"));
  EXPECT_EQ(reason, CloseReason::kProtocolError);
  EXPECT_EQ(refused, 0u);
}

// ---- How it fails, and what is remembered ----

TEST(BackendFailure, WhoDoesNotSpeakTlsOrLeavesIsToldApart) {
  const Server there({make_pem({}), 0, "", "", true});
  struct End {
    std::function<void(BackendLink&)> cause;
    CloseReason reason;
    const char* error;
  };
  const End ends[] = {
      {[](BackendLink& l) { l.tcp.deliver("HTTP/1.1 400 Bad Request\r\n\r\n", 1400, l.worker.now); },
       CloseReason::kProtocolError, "wrong version number"},
      {[](BackendLink& l) { l.tcp.peer_fin(l.worker.now); }, CloseReason::kProtocolError, "connection closed in the handshake"},
      {[](BackendLink& l) { l.tcp.close(CloseReason::kPeerReset, l.worker.now); }, CloseReason::kPeerReset,
       "connection closed in the handshake"},
  };
  for (const End& end : ends) {
    Worker worker;
    BackendLink link(worker, there, tls_to("web.test", ""));
    link.tcp.events->on_open(worker.now);
    worker.layer.shake_hands(worker.now);
    EXPECT_FALSE(link.tcp.sent.empty()) << "the ClientHello";
    end.cause(link);
    worker.layer.shake_hands(worker.now);
    EXPECT_EQ(link.user.closed, end.reason);
    EXPECT_THAT(link.user.error, HasSubstr(end.error));
    EXPECT_FALSE(link.user.open);
    EXPECT_EQ(worker.layer.backend_stats().handshakes_failed.get(), 1u);
  }
}

TEST(BackendFailure, ARefusedConnectionIsNoFailureOfTls) {
  const Server there({make_pem({}), 0, "", "", true});
  Worker worker;
  BackendLink link(worker, there, tls_to("web.test", ""));
  link.tcp.close(CloseReason::kRefused, worker.now);
  EXPECT_EQ(link.user.closed, CloseReason::kRefused);
  EXPECT_EQ(link.user.error, "");
  EXPECT_EQ(worker.layer.backend_stats().handshakes_failed.get(), 0u);
}

TEST(BackendFailure, AUserThatLeavesInTheHandshakeResetsIt) {
  const std::size_t before = free_buffers();
  {
    const Server there({make_pem({}), 0, "", "", true});
    Worker worker;
    BackendLink link(worker, there, tls_to("web.test", ""));
    link.tcp.events->on_open(worker.now);
    worker.layer.shake_hands(worker.now);
    link.user.abort(worker.now);
    EXPECT_TRUE(link.tcp.aborted);
    EXPECT_EQ(worker.layer.backend_stats().sessions.get(), 0u);
  }
  EXPECT_EQ(free_buffers(), before);
}

TEST(BackendSessions, AreNotResumedUnderOtherRulesOrForAnotherName) {
  Authority ca("CA");
  CertificateSpec spec;
  spec.dns_names = {"a.test", "b.test"};
  const Server there({ca.issue(spec), 0, "", "", true});
  Worker worker;
  const auto tls = tls_to("a.test", ca.certificate());
  const auto resumed = [&](const std::shared_ptr<const BackendTls>& how) {
    BackendLink link(worker, there, how);
    EXPECT_TRUE(link.connect());
    return link.user.info.resumed;
  };
  EXPECT_FALSE(resumed(tls));
  EXPECT_TRUE(resumed(tls));
  EXPECT_FALSE(resumed(std::make_shared<const BackendTls>(BackendTls{tls->context, "b.test"})));
  EXPECT_FALSE(resumed(tls_to("a.test", ca.certificate())));
  EXPECT_TRUE(resumed(tls));
}

TEST(BackendSessions, TheCacheIsBoundedAndForgets) {
  SessionCache cache;
  const Endpoint server{IpAddr::v4(0x0a000001), 443};
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i) names.push_back("n" + std::to_string(i));
  std::size_t found = 0;
  for (const std::string& n : names) cache.put({1, server, n}, SessionPtr(SSL_SESSION_new()));
  EXPECT_LE(cache.size(), SessionCache::kSets * SessionCache::kWays);
  EXPECT_GT(cache.size(), SessionCache::kSets * SessionCache::kWays / 2);
  cache.put({1, server, "last"}, SessionPtr(SSL_SESSION_new()));
  for (const std::string& n : names) found += cache.find({1, server, n}) != nullptr ? 1 : 0;
  EXPECT_EQ(found, 0u) << "these have no ticket, so they cannot be resumed";
  EXPECT_LE(cache.size(), 1u);
  cache.forget({1, server, "last"});
  EXPECT_EQ(cache.size(), 0u);
}

/// What has reached the backend is told by what is left: a retry depends on it.
TEST(BackendStream, ARequestThatWasPartlyAcknowledgedIsNotUnread) {
  const Server there({make_pem({}), 0, "", "", true});
  Worker worker;
  BackendLink link(worker, there, tls_to("web.test", ""));
  ASSERT_TRUE(link.connect());
  link.expect_both_ways(100);
  EXPECT_EQ(link.user.stream->unsent_or_unacked(), 0u);
  std::size_t sent = 0;
  for (int i = 0; i < 10; ++i) {
    link.user.send("x", worker.now);
    worker.layer.flush(worker.now);
    ++sent;
  }
  EXPECT_EQ(link.user.stream->unsent_or_unacked(), sent);
  link.tcp.take(30, worker.now);  // The first of them, whole.
  EXPECT_LT(link.user.stream->unsent_or_unacked(), sent);
}

}  // namespace
}  // namespace sluice::l7::tls::test
