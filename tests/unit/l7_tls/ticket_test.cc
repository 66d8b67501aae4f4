// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using testing::HasSubstr;

Client::Options asking(const char* name, int version = 0, SSL_SESSION* session = nullptr) {
  Client::Options o;
  o.server_name = name;
  o.min_version = o.max_version = version;
  o.session = session;
  return o;
}

TicketKey key_of(char c) {
  const std::string secret(32, c);
  return *TicketKey::derive({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()});
}

TEST(TicketKey, IsTheSameOfTheSameSecretAndTellsNothingOfIt) {
  EXPECT_EQ(key_of('a').name, key_of('a').name);
  EXPECT_EQ(key_of('a').mac, key_of('a').mac);
  EXPECT_EQ(key_of('a').cipher, key_of('a').cipher);
  EXPECT_NE(key_of('a').name, key_of('b').name);
  EXPECT_NE(key_of('a').mac, key_of('a').cipher);
  // Other implementations, and later versions, must come to the same.
  EXPECT_EQ(key_of('a').name_text(), "406b77a21ae71c22e40a8189bde0bbb4");
  EXPECT_NE(TicketKey::generate()->name, TicketKey::generate()->name);
  const std::uint8_t few[31] = {};
  ASSERT_FALSE(TicketKey::derive(few).ok());
  EXPECT_THAT(TicketKey::derive(few).error().message, HasSubstr("32 to 256 bytes"));
}

class Resumption : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Tls, Resumption, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), [](const auto& i) {
  return i.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
});

TEST_P(Resumption, ATicketOfOneWorkerIsGoodAtAnother) {
  const auto context = make_context({}, 2);
  Pair first(context, {.client = asking("www.example.com", GetParam()), .worker = 0});
  ASSERT_TRUE(first.connect());
  ASSERT_FALSE(first.client.sessions.empty());

  Client::Options again = asking("www.example.com", GetParam());
  again.session = first.client.sessions.back();
  Pair second(context, {.client = again, .worker = 1});
  ASSERT_TRUE(second.connect());
  EXPECT_TRUE(SSL_session_reused(second.client.ssl.get()));
  EXPECT_TRUE(second.user.info.resumed);
  EXPECT_EQ(second.user.server_name, "www.example.com");
  EXPECT_EQ(second.layer->stats().handshakes_resumed.get(), 1u);
  EXPECT_EQ(second.layer->stats().handshakes.get(), 0u);
  second.client.write("ping");
  second.exchange();
  EXPECT_EQ(second.user.received, "ping");
}

struct Outcome {
  bool resumed = false;
  std::uint64_t unknown = 0;
  std::size_t tickets = 0;         ///< That the client was told of.
  SSL_SESSION* session = nullptr;  ///< The newest that the client got; its owner is the caller.
};

/// One connection with these keys, in both directions used.
Outcome connect(const std::shared_ptr<const ServerContext>& context, const TicketKeys* keys, int version,
                SSL_SESSION* session = nullptr) {
  // A copy: the client would never use the same one again after TLS 1.3 (RFC 8446, C.4).
  SSL_SESSION* used = session == nullptr ? nullptr : SSL_SESSION_dup(session);
  Pair p(context, {.client = asking("a.test", version, used), .tickets = keys});
  SSL_SESSION_free(used);
  EXPECT_TRUE(p.connect()) << p.client.error << p.user.error;
  p.client.write("ping");
  p.exchange();
  EXPECT_EQ(p.user.received, "ping");
  Outcome out{p.user.info.resumed, p.layer->stats().tickets_unknown.get(), p.client.sessions.size(), nullptr};
  if (!p.client.sessions.empty()) {
    out.session = SSL_SESSION_dup(p.client.sessions.back());
  } else if (SSL_SESSION_has_ticket(SSL_get_session(p.client.ssl.get()))) {
    out.session = SSL_SESSION_dup(SSL_get_session(p.client.ssl.get()));  // TLS 1.2 tells of no renewed ticket
  }
  p.user.abort(p.now);
  return out;
}

TEST_P(Resumption, ASessionOutlivesAChangeOfCertificatesAndNotOneOfTheRules) {
  const auto context_with = [](const Policy& policy) {
    ServerConfig config;
    config.default_certificate = make_certificate({.common_name = "new each time"});
    config.policy = policy;
    return make_context(config);
  };
  Policy other = default_policy();
  other.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
  other.ciphersuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
  const Outcome first = connect(context_with(default_policy()), &some_ticket_keys(), GetParam());
  ASSERT_NE(first.session, nullptr);
  const Outcome renewed = connect(context_with(default_policy()), &some_ticket_keys(), GetParam(), first.session);
  EXPECT_TRUE(renewed.resumed);
  const Outcome judged_otherwise = connect(context_with(other), &some_ticket_keys(), GetParam(), first.session);
  EXPECT_FALSE(judged_otherwise.resumed);
  for (const Outcome& o : {first, renewed, judged_otherwise}) SSL_SESSION_free(o.session);
}

/// RFC 8446, C.4: a client uses each once. In TLS 1.2 it keeps the one that it has.
TEST_P(Resumption, AConnectionThatWasResumedLeavesAnotherTicket) {
  const auto context = make_context();
  Outcome last = connect(context, &some_ticket_keys(), GetParam());
  for (int i = 0; i < 4; ++i) {
    const Outcome next = connect(context, &some_ticket_keys(), GetParam(), last.session);
    EXPECT_TRUE(next.resumed);
    EXPECT_EQ(next.tickets, GetParam() == TLS1_3_VERSION ? 1u : 0u);
    SSL_SESSION_free(std::exchange(last, next).session);
  }
  SSL_SESSION_free(last.session);
}

TEST_P(Resumption, TicketsOutliveTheRotationOfKeysUntilTheirOwnIsRetired) {
  const auto context = make_context();
  const TicketKeys before = {key_of('a')}, rotated = {key_of('b'), key_of('a')}, retired = {key_of('c'), key_of('b')};
  const Outcome first = connect(context, &before, GetParam());
  ASSERT_NE(first.session, nullptr);
  const Outcome second = connect(context, &rotated, GetParam(), first.session);
  EXPECT_TRUE(second.resumed);
  ASSERT_NE(second.session, nullptr) << "a new ticket, of the new key";
  const Outcome old = connect(context, &retired, GetParam(), first.session);
  EXPECT_FALSE(old.resumed) << "its key is gone: a full handshake, and no failure";
  EXPECT_EQ(old.unknown, 1u);
  const Outcome renewed = connect(context, &retired, GetParam(), second.session);
  EXPECT_TRUE(renewed.resumed);
  EXPECT_EQ(renewed.unknown, 0u);
  for (const Outcome& o : {first, second, old, renewed}) SSL_SESSION_free(o.session);
}

TEST_P(Resumption, ATicketOfOneApplianceIsGoodAtAnotherThatHasItsKey) {
  const TicketKeys theirs = {key_of('a')}, ours = {key_of('b'), key_of('a')}, strangers = {key_of('b')};
  const Outcome first = connect(make_context(), &theirs, GetParam());
  ASSERT_NE(first.session, nullptr);
  const Outcome here = connect(make_context({}, 2), &ours, GetParam(), first.session);
  EXPECT_TRUE(here.resumed);
  const Outcome elsewhere = connect(make_context(), &strangers, GetParam(), first.session);
  EXPECT_FALSE(elsewhere.resumed);
  for (const Outcome& o : {first, here, elsewhere}) SSL_SESSION_free(o.session);
}

TEST_P(Resumption, WithoutKeysThereAreNoTicketsAndNothingFails) {
  const TicketKeys none;
  for (const TicketKeys* keys : {static_cast<const TicketKeys*>(nullptr), &none}) {
    EXPECT_EQ(connect(make_context(), keys, GetParam()).session, nullptr);
  }
  const Outcome first = connect(make_context(), &some_ticket_keys(), GetParam());
  const Outcome again = connect(make_context(), nullptr, GetParam(), first.session);
  EXPECT_FALSE(again.resumed);
  SSL_SESSION_free(first.session);
  SSL_SESSION_free(again.session);
}

TEST_P(Resumption, KeysMayChangeInTheMiddleOfAHandshake) {
  const TicketKeys before = {key_of('a')}, after = {key_of('b')};
  Pair p(make_context(), {.client = asking("a.test", GetParam()), .segment = 100, .tickets = &before});
  p.client.handshake();
  for (int i = 0; i < 200 && !p.user.open; ++i) {
    p.layer->use_ticket_keys(i % 2 == 0 ? &after : &before);
    p.to_server();
    p.to_client();
  }
  p.exchange();
  EXPECT_TRUE(p.user.open);
  EXPECT_FALSE(p.client.failed) << p.client.error;
  p.user.abort(p.now);
}

TEST_P(Resumption, ATicketThatWasTamperedWithMeansAFullHandshake) {
  Pair first(make_context(), {.client = asking("a.test", GetParam())});
  ASSERT_TRUE(first.connect());
  unsigned char* der = nullptr;
  const int size = i2d_SSL_SESSION(first.client.sessions.back(), &der);
  const unsigned char* ticket = nullptr;
  std::size_t length = 0;
  SSL_SESSION_get0_ticket(first.client.sessions.back(), &ticket, &length);
  auto* at = std::search(der, der + size, ticket, ticket + length);
  ASSERT_NE(at, der + size);
  at[length / 2] ^= 1;
  const unsigned char* from = der;
  SSL_SESSION* forged = d2i_SSL_SESSION(nullptr, &from, size);
  OPENSSL_free(der);
  ASSERT_NE(forged, nullptr);
  const Outcome out = connect(make_context(), &some_ticket_keys(), GetParam(), forged);
  EXPECT_FALSE(out.resumed);
  SSL_SESSION_free(forged);
  SSL_SESSION_free(out.session);
}

TEST(Tls13Resumption, IsNotToBeHadWithoutAFreshKeyExchange) {
  // PSK with (EC)DHE only (RFC 8446, 4.2.9): a client that would take it without, and has no group of ours, comes no further.
  const Outcome first = connect(make_context(), &some_ticket_keys(), TLS1_3_VERSION);
  ASSERT_NE(first.session, nullptr);
  Pair p(make_context(), {.client = asking("a.test", TLS1_3_VERSION, first.session)});
  SSL_set_options(p.client.ssl.get(), SSL_OP_ALLOW_NO_DHE_KEX);
  ASSERT_EQ(SSL_set1_groups_list(p.client.ssl.get(), "P-521"), 1);
  EXPECT_FALSE(p.connect());
  EXPECT_THAT(p.user.error, HasSubstr("no suitable key share"));
  SSL_SESSION_free(first.session);
}

}  // namespace
}  // namespace sluice::l7::tls::test
