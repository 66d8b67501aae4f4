// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view chain, std::string_view key) {
  auto r = Certificate::parse(chain, key);
  return r.ok() ? "accepted" : r.error().message;
}

class EachKey : public testing::TestWithParam<std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Certificate, EachKey,
                         testing::Values(std::pair("RSA-2048", "RSA-2048"), std::pair("RSA-3072", "RSA-3072"),
                                         std::pair("P-256", "ECDSA-P-256"), std::pair("P-384", "ECDSA-P-384"),
                                         std::pair("P-521", "ECDSA-P-521"), std::pair("Ed25519", "Ed25519")));

TEST_P(EachKey, IsAcceptedAndNamed) {
  const PemPair pem = make_pem({.key = GetParam().first});
  const auto r = Certificate::parse(pem.certificate, pem.key);
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ((*r)->key_type(), GetParam().second);
}

TEST(Certificate, TellsNamesSubjectIssuerDatesAndFingerprint) {
  const PemPair pem = make_pem_issued(
      {.common_name = "Shop", .dns_names = {"Shop.Example.COM", "*.Example.com", "shop.example.com"}}, nullptr);
  const auto r = Certificate::parse(pem.certificate, pem.key);
  ASSERT_TRUE(r.ok()) << r.error().message;
  const Certificate& c = **r;
  EXPECT_THAT(c.names(), ElementsAre("shop.example.com", "*.example.com"));
  EXPECT_EQ(c.subject(), "CN=Shop");
  EXPECT_EQ(c.issuer(), "CN=Test CA");
  EXPECT_EQ(c.fingerprint_sha256().size(), 64u);
  EXPECT_EQ(c.fingerprint_sha256().find_first_not_of("0123456789abcdef"), std::string::npos);
  const std::int64_t now = std::time(nullptr);
  EXPECT_NEAR(static_cast<double>(c.not_before()), static_cast<double>(now - 3600), 60);
  EXPECT_NEAR(static_cast<double>(c.not_after()), static_cast<double>(now + 86400), 60);
}

TEST(Certificate, TakesTheCommonNameOnlyWithoutDnsNames) {
  EXPECT_THAT(make_certificate({.common_name = "Old.Example.com"})->names(), ElementsAre("old.example.com"));
  EXPECT_THAT(make_certificate({.common_name = "cn.example.com", .dns_names = {"san.example.com"}})->names(),
              ElementsAre("san.example.com"));
  EXPECT_THAT(make_certificate({.common_name = "My Company Ltd."})->names(), ElementsAre());
}

TEST(Certificate, IsAcceptedWhenExpiredAndSaysSo) {
  const auto c = make_certificate({.not_before = -7200, .not_after = -3600});
  ASSERT_NE(c, nullptr);
  EXPECT_LT(c->not_after(), std::time(nullptr));
}

TEST(Certificate, TakesAChainWithTheLeafFirst) {
  std::string ca;
  const PemPair pem = make_pem_issued({}, &ca);
  EXPECT_EQ(error_of(pem.certificate + ca, pem.key), "accepted");
  EXPECT_THAT(error_of(ca + pem.certificate, pem.key), HasSubstr("belongs to certificate 2 of the chain"));
}

TEST(Certificate, RefusesAKeyThatIsAnothers) {
  const PemPair a = make_pem({}), b = make_pem({}), rsa = make_pem({.key = "RSA-2048"});
  EXPECT_EQ(error_of(a.certificate, b.key), "private key: it does not belong to the certificate");
  EXPECT_EQ(error_of(a.certificate, rsa.key), "private key: it does not belong to the certificate");
}

TEST(Certificate, SaysWhichPartIsMissingOrBroken) {
  const PemPair pem = make_pem({});
  EXPECT_EQ(error_of("", pem.key), "certificate: no PEM block of type CERTIFICATE in it");
  EXPECT_EQ(error_of(pem.key, pem.key), "certificate: no PEM block of type CERTIFICATE in it");
  EXPECT_EQ(error_of(pem.certificate, ""), "private key: no PEM block with a private key in it");
  EXPECT_EQ(error_of(pem.certificate, pem.certificate), "private key: no PEM block with a private key in it");
  std::string broken = pem.certificate;
  broken.replace(100, 20, "!!!!!!!!!!!!!!!!!!!!");
  EXPECT_THAT(error_of(broken, pem.key), HasSubstr("certificate 1 of the chain: "));
  EXPECT_THAT(error_of(pem.certificate + broken, pem.key), HasSubstr("certificate 2 of the chain: "));
  EXPECT_THAT(error_of(pem.certificate.substr(0, pem.certificate.size() / 2), pem.key),
              HasSubstr("certificate 1 of the chain: "));
  std::string broken_key = pem.key;
  broken_key.replace(60, 20, "AAAAAAAAAAAAAAAAAAAA");
  EXPECT_THAT(error_of(pem.certificate, broken_key), HasSubstr("private key: "));
}

TEST(Certificate, RefusesAnEncryptedKeyAndSaysHowToMendIt) {
  const PemPair pem = make_pem({.passphrase = "secret"});
  EXPECT_EQ(error_of(pem.certificate, pem.key), "private key: it is encrypted; store it without a passphrase");
}

TEST(Certificate, RefusesWhatClientsWouldRefuse) {
  const PemPair small = make_pem({.key = "RSA-1024"});
  EXPECT_THAT(error_of(small.certificate, small.key), HasSubstr("RSA with 1024 bits; at least 2048"));
  const PemPair curve = make_pem({.key = "secp256k1"});
  EXPECT_THAT(error_of(curve.certificate, curve.key), HasSubstr("elliptic curve secp256k1"));
  const PemPair sha1 = make_pem_issued({.digest = "SHA1"}, nullptr);
  EXPECT_THAT(error_of(sha1.certificate, sha1.key), HasSubstr("weak digest"));
}

TEST(Certificate, SelfSignedIsFreshEachTime) {
  const auto a = Certificate::generate_self_signed("fake.example.com");
  const auto b = Certificate::generate_self_signed("Sluice Fake Certificate");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_THAT((*a)->names(), ElementsAre("fake.example.com"));
  EXPECT_EQ((*a)->key_type(), "ECDSA-P-256");
  EXPECT_EQ((*b)->subject(), (*b)->issuer());
  EXPECT_THAT((*b)->subject(), HasSubstr("CN=Sluice Fake Certificate"));
  EXPECT_THAT((*b)->names(), ElementsAre());
  EXPECT_NE((*a)->fingerprint_sha256(), (*b)->fingerprint_sha256());
  EXPECT_GT((*a)->not_after(), std::time(nullptr));
  EXPECT_FALSE(Certificate::generate_self_signed(std::string(200, 'x')).ok());
}

}  // namespace
}  // namespace sluice::l7::tls::test
