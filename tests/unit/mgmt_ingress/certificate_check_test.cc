// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/certificate_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::mgmt::ingress::test {
namespace {

using l7::tls::test::make_pem;
using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000;

TEST(CertificateCheck, RefusesWhatAnApplianceWouldRefuse) {
  const auto small = make_pem({.key = "RSA-1024"});
  EXPECT_THAT(check_certificate(small.certificate, small.key, kNow).problem, HasSubstr("RSA with 1024 bits"));
  const auto locked = make_pem({.passphrase = "secret"});
  EXPECT_THAT(check_certificate(locked.certificate, locked.key, kNow).problem, HasSubstr("encrypted"));
}

TEST(CertificateCheck, TakesAGoodPairAndKnowsItsNames) {
  const auto pem = make_pem({.dns_names = {"a.example.com", "*.b.example.com"}});
  const CertificateFacts facts = check_certificate(pem.certificate, pem.key, kNow);
  EXPECT_EQ(facts.problem, "");
  EXPECT_TRUE(covers(facts.names, "A.example.com"));
  EXPECT_TRUE(covers(facts.names, "x.b.example.com"));
  EXPECT_FALSE(covers(facts.names, "x.y.b.example.com"));
  EXPECT_FALSE(covers(facts.names, "b.example.com"));
}

TEST(CertificateCheck, RefusesWhatTheRestApiWouldNotTakeForItsLength) {
  const auto pem = make_pem({});
  const std::string long_chain = pem.certificate + std::string(256 * 1024, '\n');
  EXPECT_THAT(check_certificate(long_chain, pem.key, kNow).problem, HasSubstr("larger than 256 KiB"));
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
