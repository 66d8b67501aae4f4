// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Mode = ClientAuthentication::Mode;

std::string error_of(const std::string& certificates, const std::string& revocations = "") {
  const auto r = TrustStore::parse(certificates, revocations);
  return r.ok() ? "fine" : r.error().message;
}

TEST(TrustStore, SaysWhatIsWrongWithItsParts) {
  const Authority ca("CA"), other("Other"), namesake("CA");
  EXPECT_EQ(error_of(ca.certificate()), "fine");
  EXPECT_EQ(error_of(ca.certificate() + other.certificate(), ca.revoke({1}) + other.revoke({})), "fine");
  EXPECT_THAT(error_of(""), HasSubstr("certificates: no PEM block"));
  EXPECT_THAT(error_of("nonsense"), HasSubstr("certificates: no PEM block"));
  std::string broken = other.certificate();
  broken[broken.size() / 2] = '!';
  EXPECT_THAT(error_of(ca.certificate() + broken), StartsWith("certificates: number 2 is wrong"));
  EXPECT_THAT(error_of(ca.certificate(), "nonsense"), HasSubstr("revocation_lists: no PEM block"));
  EXPECT_THAT(error_of(ca.certificate(), other.revoke({})), HasSubstr("number 1 is wrong: its authority is not among"));
  EXPECT_THAT(error_of(ca.certificate(), namesake.revoke({})), HasSubstr("its signature is not that of its authority"));
}

TEST(TrustStore, EqualOnesHaveEqualDigests) {
  const Authority ca("CA");
  const std::string list = ca.revoke({1});
  EXPECT_EQ((*TrustStore::parse(ca.certificate(), list))->digest(), (*TrustStore::parse("text\n" + ca.certificate(), list))->digest());
  EXPECT_NE((*TrustStore::parse(ca.certificate(), list))->digest(), (*TrustStore::parse(ca.certificate(), ""))->digest());
}

/// What became of one connection.
struct Outcome {
  bool open = false;
  std::string error, clients_error;
  bool asked = false, resumed = false;
  ClientCertificate certificate;
  std::uint64_t refused = 0, taken_over = 0;
  SSL_SESSION* session = nullptr;
};

class Clients : public testing::TestWithParam<int> {
 protected:
  std::shared_ptr<const ServerContext> context(Mode mode, const std::string& revocations = "", int depth = 1,
                                               bool keep = false) const {
    return context_of(root_.certificate(), mode, revocations, depth, keep);
  }
  static std::shared_ptr<const ServerContext> context_of(const std::string& authorities, Mode mode,
                                                         const std::string& revocations = "", int depth = 1, bool keep = false) {
    ServerConfig config;
    config.clients = {mode, mode == Mode::kOff ? nullptr : *TrustStore::parse(authorities, revocations), depth, keep};
    return make_context(config, 2);
  }
  Outcome connect(const std::shared_ptr<const ServerContext>& context, const PemPair& shown, SSL_SESSION* session = nullptr,
                  std::uint32_t worker = 0) {
    Client::Options o;
    o.min_version = o.max_version = GetParam();
    o.certificate = shown.certificate;
    o.key = shown.key;
    // A copy: the client would never use the same one again after TLS 1.3 (RFC 8446, C.4).
    if (session != nullptr) sessions_.push_back(o.session = SSL_SESSION_dup(session));
    Pair p(context, {.client = o, .worker = worker});
    p.connect();
    Outcome out;
    out.open = p.user.open;
    if (out.open) {
      p.client.write("ping");
      p.exchange();
      EXPECT_EQ(p.user.received, "ping");
      p.user.send("pong", p.now);
      p.exchange();
      EXPECT_EQ(p.client.received, "pong");
    }
    out.error = p.user.error;
    out.clients_error = p.client.error;
    out.asked = p.user.info.client_asked;
    out.resumed = p.user.info.resumed;
    out.certificate = p.user.certificate;
    out.refused = p.layer->stats().peers_refused.get();
    out.taken_over = p.layer->stats().taken_over.get();
    if (!p.client.sessions.empty()) {
      out.session = SSL_SESSION_dup(p.client.sessions.back());
      sessions_.push_back(out.session);
    }
    if (out.open) p.user.abort(p.now);
    return out;
  }
  ~Clients() override {
    for (SSL_SESSION* s : sessions_) SSL_SESSION_free(s);
  }

  const Authority root_{"Root CA"};
  const PemPair nothing_{};
  std::vector<SSL_SESSION*> sessions_;
};
INSTANTIATE_TEST_SUITE_P(Tls, Clients, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), [](const auto& i) {
  return i.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
});

TEST_P(Clients, ThatAreNotAskedShowNothing) {
  const Outcome out = connect(context(Mode::kOff), root_.issue({.common_name = "alice"}));
  EXPECT_TRUE(out.open);
  EXPECT_FALSE(out.asked);
  EXPECT_EQ(out.certificate.subject, "");
}

TEST_P(Clients, ShowWhoTheyAreAndRecordsAreOursAllTheSame) {
  for (const Mode mode : {Mode::kOptional, Mode::kRequired}) {
    const Outcome out = connect(context(mode), root_.issue({.common_name = "alice"}));
    ASSERT_TRUE(out.open) << out.error;
    EXPECT_TRUE(out.asked);
    EXPECT_EQ(out.certificate.subject, "CN=alice");
    EXPECT_EQ(out.certificate.issuer, "CN=Root CA");
    EXPECT_EQ(out.certificate.fingerprint.size(), 64u);
    EXPECT_EQ(out.certificate.escaped_pem, "");
    EXPECT_EQ(out.taken_over, 1u);
    EXPECT_EQ(out.refused, 0u);
  }
}

TEST_P(Clients, MayGoWithoutACertificateWhereItIsOptionalOnly) {
  const Outcome optional = connect(context(Mode::kOptional), nothing_);
  EXPECT_TRUE(optional.open) << optional.error;
  EXPECT_TRUE(optional.asked);
  EXPECT_EQ(optional.certificate.subject, "");
  const Outcome required = connect(context(Mode::kRequired), nothing_);
  EXPECT_FALSE(required.open);
  EXPECT_THAT(required.error, HasSubstr("did not return a certificate"));
  EXPECT_THAT(required.clients_error, HasSubstr(GetParam() == TLS1_3_VERSION ? "certificate required" : "handshake failure"));
  EXPECT_EQ(required.refused, 1u);
}

TEST_P(Clients, AreRefusedWhenTheirCertificateDoesNotVerify) {
  const Authority stranger("Stranger"), namesake("Root CA");
  const struct {
    const char* what;
    PemPair shown;
    const char *why, *alert;
  } cases[] = {
      {"another authority", stranger.issue({.common_name = "alice"}), "unable to get local issuer", "unknown ca"},
      {"an authority of the same name", namesake.issue({.common_name = "alice"}), "certificate signature failure", "decrypt error"},
      {"itself", make_pem({.common_name = "alice"}), "self-signed certificate", "unknown ca"},
      {"expired", root_.issue({.common_name = "alice", .not_before = -7200, .not_after = -3600}), "certificate has expired", "certificate expired"},
      {"not yet valid", root_.issue({.common_name = "alice", .not_before = 3600}), "certificate is not yet valid", "bad certificate"},
  };
  for (const auto& c : cases) {
    for (const Mode mode : {Mode::kOptional, Mode::kRequired}) {
      const Outcome out = connect(context(mode), c.shown);
      EXPECT_FALSE(out.open) << c.what;
      EXPECT_THAT(out.error, HasSubstr(c.why)) << c.what;
      EXPECT_THAT(out.clients_error, HasSubstr(c.alert)) << c.what;
      EXPECT_EQ(out.refused, 1u) << c.what;
    }
  }
}

TEST_P(Clients, ChainsAreAsLongAsTheDepthAllows) {
  const Authority middle("Middle CA", root_), low("Low CA", middle);
  PemPair one = middle.issue({.common_name = "alice"}), two = low.issue({.common_name = "bob"});
  one.certificate += middle.certificate();
  two.certificate += low.certificate() + middle.certificate();
  EXPECT_FALSE(connect(context(Mode::kRequired, "", 0), one).open);
  EXPECT_TRUE(connect(context(Mode::kRequired, "", 1), one).open);
  const Outcome too_long = connect(context(Mode::kRequired, "", 1), two);
  EXPECT_FALSE(too_long.open);
  EXPECT_THAT(too_long.error, HasSubstr("certificate chain too long"));
  EXPECT_TRUE(connect(context(Mode::kRequired, "", 2), two).open);
  // An authority in the middle is believed by itself, and only what it has issued.
  const auto of_middle = context_of(middle.certificate(), Mode::kRequired);
  EXPECT_TRUE(connect(of_middle, one).open);
  EXPECT_FALSE(connect(of_middle, root_.issue({.common_name = "carol"})).open);
}

TEST_P(Clients, RevokedOnesAreRefusedAndOthersAreNot) {
  const auto with_list = context(Mode::kRequired, root_.revoke({17, 18}));
  const Outcome revoked = connect(with_list, root_.issue({.common_name = "alice"}, 17));
  EXPECT_FALSE(revoked.open);
  EXPECT_THAT(revoked.error, HasSubstr("certificate revoked"));
  EXPECT_THAT(revoked.clients_error, HasSubstr("certificate revoked"));
  EXPECT_TRUE(connect(with_list, root_.issue({.common_name = "bob"}, 19)).open);
  const Outcome stale = connect(context(Mode::kRequired, root_.revoke({}, -60)), root_.issue({.common_name = "bob"}, 19));
  EXPECT_FALSE(stale.open) << "a list that is out of date says nothing";
  EXPECT_THAT(stale.error, HasSubstr("CRL has expired"));
}

TEST(TrustStore, KnowsWhenTheFirstOfItsListsEndsAndTheNewestOfAnAuthorityCounts) {
  const Authority one("One CA"), other("Other CA");
  const auto ends_in = [&](const std::string& lists) {
    const auto made = TrustStore::parse(one.certificate() + other.certificate(), lists);
    EXPECT_TRUE(made.ok());
    const std::int64_t end = (*made)->revocations_end();
    return end == 0 ? 0 : (end - std::time(nullptr) + 1800) / 3600;  // hours
  };
  EXPECT_EQ(ends_in(""), 0);
  EXPECT_EQ(ends_in(one.revoke({}, 5 * 3600)), 5);
  EXPECT_EQ(ends_in(one.revoke({}, 5 * 3600) + other.revoke({}, 3 * 3600)), 3);
  EXPECT_EQ(ends_in(one.revoke({}, 2 * 3600) + one.revoke({}, 9 * 3600) + other.revoke({}, 20 * 3600)), 9);
  EXPECT_LT(ends_in(one.revoke({}, -7 * 3600)), 0) << "it is over";
}

TEST_P(Clients, KeepTheirVerdictOverAResumption) {
  const PemPair alice = root_.issue({.common_name = "alice"});
  const auto required = context(Mode::kRequired);
  const Outcome first = connect(required, alice);
  ASSERT_NE(first.session, nullptr);
  const Outcome again = connect(required, nothing_, first.session, 1);
  ASSERT_TRUE(again.open) << again.error;
  EXPECT_TRUE(again.resumed);
  EXPECT_EQ(again.certificate.subject, "CN=alice");
  EXPECT_EQ(again.certificate.fingerprint, first.certificate.fingerprint);

  const auto optional = context(Mode::kOptional);
  const Outcome nobody = connect(optional, nothing_);
  const Outcome still_nobody = connect(optional, nothing_, nobody.session);
  EXPECT_TRUE(still_nobody.resumed);
  EXPECT_EQ(still_nobody.certificate.subject, "");
}

TEST_P(Clients, DoNotResumeWhereOtherRulesHold) {
  const PemPair alice = root_.issue({.common_name = "alice"}, 17);
  const Authority other("Other CA");
  // Without a certificate at first, then where one is needed: the way around a required one.
  for (const Mode mode : {Mode::kOff, Mode::kOptional}) {
    const Outcome first = connect(context(mode), nothing_);
    ASSERT_NE(first.session, nullptr);
    const Outcome out = connect(context(Mode::kRequired), nothing_, first.session);
    EXPECT_FALSE(out.open);
    EXPECT_EQ(out.refused, 1u);
  }
  const Outcome verified = connect(context(Mode::kRequired), alice);
  ASSERT_NE(verified.session, nullptr);
  EXPECT_FALSE(connect(context_of(other.certificate(), Mode::kRequired), nothing_, verified.session).open) << "another authority";
  EXPECT_FALSE(connect(context(Mode::kRequired, root_.revoke({17})), nothing_, verified.session).open) << "revoked since";
  EXPECT_FALSE(connect(context(Mode::kRequired, "", 0), nothing_, verified.session).open) << "another depth";
  const Outcome open_to_all = connect(context(Mode::kOff), nothing_, verified.session);
  EXPECT_TRUE(open_to_all.open);
  EXPECT_FALSE(open_to_all.resumed);
  EXPECT_EQ(open_to_all.certificate.subject, "");
}

TEST_P(Clients, AreToldOfAsAWholeWhereThatIsWanted) {
  const PemPair alice = root_.issue({.common_name = "alice"});
  const auto keeping = context(Mode::kRequired, "", 1, true);
  const Outcome out = connect(keeping, alice);
  ASSERT_TRUE(out.open);
  EXPECT_THAT(out.certificate.escaped_pem, StartsWith("-----BEGIN%20CERTIFICATE-----%0A"));
  std::string decoded;
  for (std::size_t i = 0; i < out.certificate.escaped_pem.size(); ++i) {
    if (out.certificate.escaped_pem[i] != '%') {
      decoded += out.certificate.escaped_pem[i];
      continue;
    }
    decoded += static_cast<char>(std::stoi(out.certificate.escaped_pem.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  EXPECT_EQ(decoded, alice.certificate);
  EXPECT_EQ(connect(keeping, nothing_, out.session).certificate.escaped_pem, out.certificate.escaped_pem) << "resumed, too";
}

TEST_P(Clients, NamesAreAsciiAndBreakOutOfNoField) {
  const Outcome out = connect(context(Mode::kRequired), root_.issue({.common_name = "Zo\xc3\xab, \"a\"\r\nssl-client-verify: SUCCESS"}));
  ASSERT_TRUE(out.open) << out.error;
  EXPECT_TRUE(std::all_of(out.certificate.subject.begin(), out.certificate.subject.end(), [](char c) { return c >= ' ' && c < 127; }))
      << out.certificate.subject;
  EXPECT_THAT(out.certificate.subject, HasSubstr("Zo\\C3\\AB\\, \\\"a\\\"\\0D\\0Assl-client-verify"));
}

}  // namespace
}  // namespace sluice::l7::tls::test
