// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/named_appliances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::mgmt::ingress::test {
namespace {

using testing::HasSubstr;

TEST(ApplianceUrl, HasOneFormForOneAppliance) {
  for (const char* text : {"https://edge.example", "HTTPS://Edge.Example/", "https://edge.example:443", "https://edge.example:0443/"})
    EXPECT_EQ(appliance_url(text), "https://edge.example") << text;
  EXPECT_EQ(appliance_url("https://192.0.2.1:8443"), "https://192.0.2.1:8443");
  EXPECT_EQ(appliance_url("https://[2001:DB8:0::1]:8443/"), "https://[2001:db8::1]:8443");
  EXPECT_EQ(appliance_url("http://edge.example:80"), "http://edge.example");
  EXPECT_EQ(appliance_url("http://edge.example:443"), "http://edge.example:443");
}

TEST(ApplianceUrl, IsNothingElse) {
  for (const char* text :
       {"", "edge.example", "ftp://edge.example", "https://", "https:///", "https://:443", "https://edge.example/x",
        "https://edge.example?x", "https://edge.example#x", "https://user@edge.example", "https://user:x@edge.example",
        "https://edge.example:0", "https://edge.example:65536", "https://edge.example:", "https://edge.example:+1",
        "https://edge.example:80:80", "https://edge example", "https://edge.example\r\nHost: x", "https://[192.0.2.1]",
        "https://2001:db8::1", "https://[2001:db8::1", "https://2001:db8::1]", "https://[edge.example]", "https://[]"})
    EXPECT_EQ(appliance_url(text), "") << text;
}

nlohmann::json secret(const std::string& token, const std::string& ca = "", const std::string& type = "Opaque") {
  nlohmann::json out = {{"type", type}, {"stringData", {{"token", token}}}};
  if (!ca.empty()) out["stringData"]["ca.crt"] = ca;
  return out;
}

TEST(ApplianceSecret, HasATokenAndWhoVouchesForTheAppliance) {
  const std::string ca = l7::tls::test::make_pem({}).certificate;
  const ApplianceSecret read = read_appliance_secret(secret("word\r\n", ca));
  EXPECT_EQ(read.problem, "");
  EXPECT_EQ(read.token, "word");
  EXPECT_EQ(read.ca, ca);
  EXPECT_EQ(read_appliance_secret(secret("word", "", "sluice.dev/appliance")).problem, "");
}

TEST(ApplianceSecret, IsNotTakenWhenItCouldNotOpenAnythingOrWasMadeForSomethingElse) {
  EXPECT_THAT(read_appliance_secret({}).problem, HasSubstr("token"));
  EXPECT_THAT(read_appliance_secret({{"data", {{"token", "!"}}}}).problem, HasSubstr("token"));
  for (const std::string& token : {std::string(), std::string(" \n"), std::string("a b"), std::string("a\r\nHost: x"),
                                  std::string("a\0b", 3), std::string(5000, 'a')})
    EXPECT_THAT(read_appliance_secret(secret(token)).problem, HasSubstr("token")) << token;
  EXPECT_THAT(read_appliance_secret(secret("word", "-----BEGIN CERTIFICATE-----\nAAAA\n")).problem, HasSubstr("ca.crt"));
  EXPECT_THAT(read_appliance_secret({{"data", {{"token", "d29yZA=="}, {"ca.crt", ""}}}}).problem, HasSubstr("ca.crt"));
  EXPECT_THAT(read_appliance_secret(secret("word", "", "kubernetes.io/service-account-token")).problem, HasSubstr("type"));
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
