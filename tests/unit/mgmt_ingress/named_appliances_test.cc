// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/named_appliances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgmt/ingress/model/appliance_memory.h"
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

TEST(ApplianceMemory, IsReadAsItWasWritten) {
  const ApplianceMemory memory = {{"https://192.0.2.10:8443", {"sluice-system", "ten"}},
                                  {"https://edge.example", {"edge", "a.b"}}};
  EXPECT_EQ(text_of(memory), R"({"https://192.0.2.10:8443":"sluice-system/ten","https://edge.example":"edge/a.b"})");
  EXPECT_EQ(read_memory(text_of(memory)), memory);
  EXPECT_EQ(text_of({}), "");
  EXPECT_TRUE(read_memory("").empty());
}

TEST(ApplianceMemory, OpensNothingThatAClassCouldNotName) {
  for (const char* text :
       {"x", "[]", R"(["https://a.example"])", R"({"https://a.example":null})", R"({"https://a.example":"name"})",
        R"({"https://a.example":"/name"})", R"({"https://a.example":"ns/"})", R"({"https://a.example":"ns/a/b"})",
        R"({"https://a.example":"ns/../b"})", R"({"http://a.example":"ns/name"})", R"({"https://A.example":"ns/name"})",
        R"({"https://a.example/x":"ns/name"})", R"({"https://u@a.example":"ns/name"})"})
    EXPECT_TRUE(read_memory(text).empty()) << text;
  EXPECT_EQ(read_memory(R"({"https://a.example":7,"https://b.example":"ns/name"})").size(), 1u) << "the rest holds";
}

TEST(ApplianceMemory, FitsIntoAnAnnotation) {
  ApplianceMemory memory;
  for (int i = 0; i < 10'000; ++i) memory["https://" + std::to_string(i) + ".example"] = {"sluice-system", "secret"};
  const std::string text = text_of(memory);
  EXPECT_GT(text.size(), 199u << 10);
  EXPECT_LE(text.size(), 200u << 10);
  EXPECT_GT(read_memory(text).size(), 1000u);
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
