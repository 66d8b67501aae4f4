// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "l7/tls/certificate_handles.h"
#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using testing::HasSubstr;

std::string common_name_of(X509* x) {
  char text[128] = "";
  if (x != nullptr) X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, sizeof text);
  return text;
}

/// The common name of the certificate that a client with these options is shown; "" when the handshake failed.
std::string shown(const std::shared_ptr<const ServerContext>& context, const Client::Options& client) {
  Pair p(context, {.client = client});
  return p.connect() ? common_name_of(p.client.peer()) : "";
}

Client::Options asking(const char* name, int version = 0) {
  Client::Options o;
  o.server_name = name;
  o.min_version = o.max_version = version;
  return o;
}

TEST(ServerContext, ChoosesTheCertificateByServerName) {
  ServerConfig config;
  config.default_certificate = make_certificate({.common_name = "default", .dns_names = {"own.default.test"}});
  config.certificates = {
      make_certificate({.common_name = "exact", .dns_names = {"www.example.com", "example.com"}}),
      make_certificate({.common_name = "wildcard", .dns_names = {"*.example.com"}}),
      make_certificate({.common_name = "second", .dns_names = {"www.example.com", "only.second.test"}}),
      make_certificate({.common_name = "deep", .dns_names = {"*.a.example.com"}}),
  };
  const auto context = make_context(config);
  struct Case {
    const char *name, *expected;
  };
  const Case cases[] = {
      {"www.example.com", "exact"},      // exact before wildcard, first before second
      {"WWW.Example.COM", "exact"},      // case does not matter
      {"www.example.com.", "exact"},     // nor does the root's dot
      {"example.com", "exact"},          // a wildcard would not cover it
      {"other.example.com", "wildcard"},
      {"x.y.example.com", "default"},    // a wildcard is one label
      {"x.a.example.com", "deep"},
      {"a.example.com", "wildcard"},
      {"only.second.test", "second"},
      {"own.default.test", "default"},
      {"unknown.test", "default"},
      {"localhost", "default"},
      {"", "default"},                   // no SNI at all
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Case& c : cases) {
      EXPECT_EQ(shown(context, asking(c.name, version)), c.expected) << c.name << " version " << version;
    }
  }
}

TEST(ServerContext, PresentsACertificateToTheNamesItIsOfferedForAndToNoOther) {
  const auto both = [](const char* name) {
    return make_certificate({.common_name = name, .dns_names = {"*.example.com", "shop.test"}});
  };
  ServerConfig config;
  // An RSA one beside ECDSA ones: no client may come to it through a name that is another's.
  config.default_certificate =
      make_certificate({.key = "RSA-2048", .common_name = "default", .dns_names = {"*.example.com", "b.example.com"}});
  using Names = std::vector<std::string>;
  config.certificates = {{config.default_certificate, Names{}},
                         {both("a"), Names{"A.example.com", "*.sub.example.com"}},
                         {both("b"), Names{"b.example.com", "a.example.com"}}};
  const auto context = make_context(config);
  struct Case {
    const char *name, *expected;
  };
  const Case cases[] = {{"a.example.com", "a"},         {"b.example.com", "b"}, {"c.example.com", "default"},
                        {"x.sub.example.com", "a"},     {"shop.test", "default"}, {"", "default"}};
  for (const Case& c : cases) {
    EXPECT_EQ(shown(context, asking(c.name)), c.expected) << c.name;
    Client::Options rsa = asking(c.name);
    rsa.sigalgs = "RSA-PSS+SHA256:RSA+SHA256";
    EXPECT_EQ(shown(context, rsa), std::string(c.expected) == "default" ? "default" : "") << c.name;
  }
}

TEST(ServerContext, ChoosesBetweenRsaAndEcdsaByTheClientsAlgorithms) {
  ServerConfig config;
  config.certificates = {
      make_certificate({.key = "RSA-2048", .common_name = "rsa", .dns_names = {"www.example.com"}}),
      make_certificate({.key = "P-256", .common_name = "ecdsa", .dns_names = {"www.example.com"}}),
  };
  const auto context = make_context(config);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client::Options o = asking("www.example.com", version);
    EXPECT_EQ(shown(context, o), "ecdsa") << "cheaper, when the client takes both";
    o.sigalgs = "RSA-PSS+SHA256:RSA+SHA256";
    EXPECT_EQ(shown(context, o), "rsa") << version;
    o.sigalgs = "ECDSA+SHA256";
    EXPECT_EQ(shown(context, o), "ecdsa") << version;
  }
  Client::Options o = asking("www.example.com", TLS1_2_VERSION);
  o.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  EXPECT_EQ(shown(context, o), "rsa");
}

TEST(ServerContext, ServesEachKindOfKey) {
  for (const char* key : {"RSA-2048", "P-256", "P-384", "P-521", "Ed25519"}) {
    ServerConfig config;
    config.default_certificate = make_certificate({.key = key, .common_name = key});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      EXPECT_EQ(shown(make_context(config), asking("", version)), key) << version;
    }
  }
}

TEST(ServerContext, ServesTheWholeChain) {
  std::string ca;
  const PemPair pem = make_pem_issued({.common_name = "leaf"}, &ca);
  ServerConfig config;
  config.default_certificate = *Certificate::parse(pem.certificate + ca, pem.key);
  Pair p(make_context(config));
  ASSERT_TRUE(p.connect());
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(p.client.ssl.get());
  ASSERT_EQ(sk_X509_num(chain), 2);
  EXPECT_EQ(common_name_of(sk_X509_value(chain, 0)), "leaf");
  EXPECT_EQ(common_name_of(sk_X509_value(chain, 1)), "Test CA");
}

TEST(ServerContext, ServesTheProcessesFakeCertificateWhereThereIsNone) {
  EXPECT_EQ(shown(make_context(), asking("www.example.com")), "Sluice Fake Certificate");
  EXPECT_EQ(fake_certificate(), fake_certificate());
  ServerConfig config;
  config.certificates = {make_certificate({.common_name = "a", .dns_names = {"a.test"}})};
  const auto context = make_context(config);
  EXPECT_EQ(shown(context, asking("a.test")), "a");
  EXPECT_EQ(shown(context, asking("b.test")), "Sluice Fake Certificate");
}

std::string alpn_of(const std::vector<std::string>& ours, const std::string& theirs) {
  ServerConfig config;
  config.alpn = ours;
  Client::Options client;
  client.alpn = theirs;
  Pair p(make_context(config), {.client = client});
  return p.connect() ? "<" + p.user.alpn + ">" : p.client.error;
}

TEST(ServerContext, SelectsTheProtocolInOurOrder) {
  const std::string both("\x08http/1.1\x02h2", 12);
  EXPECT_EQ(alpn_of({"h2", "http/1.1"}, both), "<h2>");
  EXPECT_EQ(alpn_of({"http/1.1"}, both), "<http/1.1>");
  EXPECT_EQ(alpn_of({"http/1.1"}, ""), "<>") << "a client without ALPN is served";
  EXPECT_EQ(alpn_of({}, both), "<>");
  EXPECT_THAT(alpn_of({"http/1.1"}, "\x02h2"), HasSubstr("no application protocol"));
}

TEST(ServerContext, KeepsToItsVersions) {
  ServerConfig config;
  config.policy.min_version = TlsVersion::kTls13;
  const auto only13 = make_context(config);
  EXPECT_EQ(shown(only13, asking("", TLS1_2_VERSION)), "");
  EXPECT_NE(shown(only13, asking("", TLS1_3_VERSION)), "");
  config.policy.min_version = config.policy.max_version = TlsVersion::kTls12;
  const auto only12 = make_context(config);
  EXPECT_EQ(shown(only12, asking("", TLS1_3_VERSION)), "");
  EXPECT_NE(shown(only12, asking("")), "") << "a client that may both gets what there is";
  Client::Options old = asking("", TLS1_1_VERSION);
  old.ciphers = "ALL:@SECLEVEL=0";
  EXPECT_EQ(shown(make_context(), old), "");
}

TEST(ServerContext, OffersAeadWithForwardSecrecyOnly) {
  for (const char* weak : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"}) {
    Client::Options o = asking("", TLS1_2_VERSION);
    o.ciphers = weak;
    EXPECT_EQ(shown(make_context(), o), "") << weak;
  }
}

TEST(ServerContext, SaysWhatIsWrongWithItsConfiguration) {
  const auto error = [](const ServerConfig& c, std::uint32_t workers = 1) {
    auto r = ServerContext::create(c, workers);
    return r.ok() ? std::string("accepted") : r.error().message;
  };
  EXPECT_EQ(error({}), "accepted");
  EXPECT_THAT(error({.policy = {.ciphers = "NONSENSE"}}), HasSubstr("ciphers: "));
  EXPECT_THAT(error({.policy = {.ciphersuites = "NONSENSE"}}), HasSubstr("ciphersuites: "));
  EXPECT_THAT(error({.policy = {.groups = "X25519:NONSENSE"}}), HasSubstr("groups: "));
  EXPECT_THAT(error({.policy = {.groups = "X25519", .signature_algorithms = "NONSENSE"}}), HasSubstr("signature_algorithms: "));
  EXPECT_THAT(error({.policy = {.min_version = TlsVersion::kTls13, .max_version = TlsVersion::kTls12}}), HasSubstr("min_version"));
  EXPECT_THAT(error({.alpn = {""}}), HasSubstr("alpn"));
  EXPECT_THAT(error({.alpn = {std::string(256, 'x')}}), HasSubstr("alpn"));
  EXPECT_THAT(error({}, 0), HasSubstr("workers"));
}

TEST(ServerContext, AWorkerThatItWasNotMadeForIsRefusedWithoutHarm) {
  Pair p(make_context({}, 1), {.worker = 3});
  EXPECT_FALSE(p.connect());
  EXPECT_EQ(p.user.closed, l4::CloseReason::kNoResources);
}

}  // namespace
}  // namespace sluice::l7::tls::test
