// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "l7/tls/policy_names.h"
#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

std::shared_ptr<const ServerContext> context_of(const char* policy, const char* key) {
  ServerConfig config;
  config.policy = *find_policy(policy);
  config.certificates = {make_certificate({.key = key, .common_name = "a", .dns_names = {"a.test"}})};
  config.default_certificate = config.certificates.front().certificate;
  return make_context(config);
}

/// What a client that can do only this much agrees upon with the policy: the suite, or "" for no connection.
std::string agreed(const std::shared_ptr<const ServerContext>& context, int version, const char* ciphers) {
  Client::Options o;
  o.min_version = o.max_version = version;
  if (version == TLS1_3_VERSION && ciphers != std::string_view("ALL")) {
    o.ciphersuites = ciphers;
  } else {
    o.ciphers = std::string(ciphers) + ":@SECLEVEL=0";
  }
  Pair p(context, {.client = o});
  return p.connect() ? SSL_get_cipher_name(p.client.ssl.get()) : "";
}

struct Case {
  const char* policy;
  int version;
  const char* suite;
  bool taken;
};

class Policies : public testing::TestWithParam<Case> {};

TEST_P(Policies, TakeWhatTheyNameAndNothingElse) {
  const Case& c = GetParam();
  const bool ecdsa = std::string_view(c.suite).find("ECDSA") != std::string_view::npos;
  EXPECT_EQ(agreed(context_of(c.policy, ecdsa ? "P-256" : "RSA-2048"), c.version, c.suite), c.taken ? c.suite : "");
}

constexpr const char kGcm[] = "ECDHE-RSA-AES128-GCM-SHA256", kChaCha[] = "ECDHE-ECDSA-CHACHA20-POLY1305",
                     kCbc[] = "ECDHE-RSA-AES128-SHA256", kCbcSha1[] = "ECDHE-ECDSA-AES256-SHA", kRsa[] = "AES128-SHA",
                     kRsaGcm[] = "AES256-GCM-SHA384";

INSTANTIATE_TEST_SUITE_P(
    Default, Policies,
    testing::Values(Case{"default", TLS1_2_VERSION, kGcm, true}, Case{"default", TLS1_2_VERSION, kChaCha, true},
                    Case{"default", TLS1_2_VERSION, kCbc, false}, Case{"default", TLS1_2_VERSION, kRsaGcm, false},
                    Case{"default", TLS1_1_VERSION, kCbcSha1, false}));
INSTANTIATE_TEST_SUITE_P(
    Mozilla, Policies,
    testing::Values(Case{"modern", TLS1_2_VERSION, kGcm, false}, Case{"intermediate", TLS1_2_VERSION, kGcm, true},
                    Case{"intermediate", TLS1_2_VERSION, kCbc, false}));
INSTANTIATE_TEST_SUITE_P(
    Slb, Policies,
    testing::Values(Case{"tls_cipher_policy_1_0", TLS1_VERSION, kCbcSha1, true},
                    Case{"tls_cipher_policy_1_0", TLS1_VERSION, kRsa, true},
                    Case{"tls_cipher_policy_1_0", TLS1_2_VERSION, kGcm, true},
                    Case{"tls_cipher_policy_1_1", TLS1_VERSION, kRsa, false},
                    Case{"tls_cipher_policy_1_1", TLS1_1_VERSION, kRsa, true},
                    Case{"tls_cipher_policy_1_1", TLS1_2_VERSION, kRsaGcm, true},
                    Case{"tls_cipher_policy_1_2", TLS1_1_VERSION, kRsa, false},
                    Case{"tls_cipher_policy_1_2", TLS1_2_VERSION, kRsa, true},
                    Case{"tls_cipher_policy_1_2", TLS1_2_VERSION, kCbc, true},
                    Case{"tls_cipher_policy_1_2_strict", TLS1_2_VERSION, kCbc, true},
                    Case{"tls_cipher_policy_1_2_strict", TLS1_2_VERSION, kRsa, false},
                    Case{"tls_cipher_policy_1_2_strict", TLS1_2_VERSION, kRsaGcm, false},
                    Case{"tls_cipher_policy_1_2_strict_with_1_3", TLS1_2_VERSION, kCbcSha1, true},
                    Case{"tls_cipher_policy_1_2_strict_with_1_3", TLS1_2_VERSION, kRsa, false}));

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, ':');) {
    if (!name.empty()) out.push_back(name);
  }
  return out;
}

TEST(Policy, TakesEachSuiteOfItsListsInEachVersionThatHasIt) {
  for (const Policy& p : policies()) {
    const auto ecdsa = context_of(p.name.c_str(), "P-256"), rsa = context_of(p.name.c_str(), "RSA-2048");
    for (int version = static_cast<int>(p.min_version); version <= static_cast<int>(p.max_version); ++version) {
      for (const std::string& suite : names_in(version == TLS1_3_VERSION ? p.ciphersuites : p.ciphers)) {
        const bool old = suite.ends_with("-SHA");  // HMAC-SHA1, which is all that 1.0 and 1.1 have.
        const auto& context = suite.find("ECDSA") != suite.npos ? ecdsa : rsa;
        EXPECT_EQ(agreed(context, version, suite.c_str()), version >= TLS1_2_VERSION || old ? suite : "") << p.name << version;
      }
    }
  }
}

TEST(Policy, SpeaksTls13WhereItsNameSaysSo) {
  for (const Policy& p : policies()) {
    const bool spoken = p.max_version == TlsVersion::kTls13;
    EXPECT_EQ(agreed(context_of(p.name.c_str(), "P-256"), TLS1_3_VERSION, "ALL"), spoken ? "TLS_AES_128_GCM_SHA256" : "")
        << p.name;
  }
}

TEST(Policy, SignsNothingWithSha1InTls12) {
  for (const Policy& p : policies()) {
    if (p.min_version > TlsVersion::kTls12) continue;
    Client::Options o;
    o.min_version = o.max_version = TLS1_2_VERSION;
    o.ciphers = "ALL:@SECLEVEL=0";
    o.sigalgs = "RSA+SHA1";
    Pair pair(context_of(p.name.c_str(), "RSA-2048"), {.client = o});
    EXPECT_FALSE(pair.connect()) << p.name;
  }
}

TEST(Policy, NamesThatAServerCanAgreeUponAreUsable) {
  const auto ok = [](PolicyList list, const char* name) { return unusable(list, name).empty(); };
  for (const char* name : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-CCM", "AES128-SHA",
                           "ECDHE-RSA-CAMELLIA256-SHA384"}) {
    EXPECT_TRUE(ok(PolicyList::kCiphers, name)) << name;
  }
  for (const char* name : {"", "ALL", "HIGH", "AES128", "kRSA", "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA", "-AES128-SHA",
                           "@SECLEVEL=0", "aNULL", "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA257", "NULL-SHA256",
                           "ECDHE-RSA-NULL-SHA", "AECDH-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "PSK-AES128-GCM-SHA256",
                           "ecdhe-rsa-aes128-gcm-sha256"}) {
    EXPECT_FALSE(ok(PolicyList::kCiphers, name)) << name;
  }
  for (const char* name : {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256"})
    EXPECT_TRUE(ok(PolicyList::kCiphersuites, name)) << name;
  for (const char* name : {"AES128-SHA", "TLS_AES_128_GCM_SHA257", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"})
    EXPECT_FALSE(ok(PolicyList::kCiphersuites, name)) << name;
  for (const char* name : {"X25519", "P-256", "prime256v1", "secp384r1", "X448", "ffdhe2048"})
    EXPECT_TRUE(ok(PolicyList::kGroups, name)) << name;
  for (const char* name : {"X25519:P-256", "?X25519", "P-257", "*"}) EXPECT_FALSE(ok(PolicyList::kGroups, name)) << name;
  for (const char* name : {"ECDSA+SHA256", "RSA-PSS+SHA512", "rsa_pss_rsae_sha256", "ed25519"})
    EXPECT_TRUE(ok(PolicyList::kSignatureAlgorithms, name)) << name;
  for (const char* name : {"RSA+SHA1", "ECDSA+SHA1", "rsa_pkcs1_sha1", "RSA", "RSA+SHA256:ECDSA+SHA256", "MD5"})
    EXPECT_FALSE(ok(PolicyList::kSignatureAlgorithms, name)) << name;
  EXPECT_EQ(unusable_together(PolicyList::kGroups, "X25519:P-256"), "");
  EXPECT_NE(unusable_together(PolicyList::kGroups, "P-256:prime256v1"), "");
}

TEST(Policy, GroupsOfANewerOpensslAreUsableWhereItIsThere) {
  const bool there = OpenSSL_version_num() >= 0x30500000L;
  EXPECT_EQ(unusable(PolicyList::kGroups, "X25519MLKEM768").empty(), there);
}

TEST(Policy, HasAName) {
  EXPECT_EQ(default_policy().name, "default");
  EXPECT_EQ(find_policy("modern")->min_version, TlsVersion::kTls13);
  EXPECT_EQ(find_policy("tls_cipher_policy_2_0"), nullptr);
}

}  // namespace
}  // namespace sluice::l7::tls::test
