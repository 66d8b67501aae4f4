// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::config {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

FieldError error(std::string path, std::string message) { return {std::move(path), std::move(message)}; }

json sample_document() { return to_json(test::sample(), Secrets::kShow); }

TEST(ConfigJson, comes_back_equal_from_its_own_text) {
  const Config config = test::sample();
  const auto document = json_from_text(to_json(config, Secrets::kShow).dump());
  ASSERT_TRUE(document.ok());
  const auto parsed = config_from_json(document.value);
  EXPECT_THAT(parsed.errors, ElementsAre());
  EXPECT_EQ(parsed.value, config);
}

TEST(ConfigJson, a_tls_policy_comes_back_equal) {
  Config config = test::sample();
  config.tls_policies["p"] = {"p", "1.2", "1.2", {"a", "b"}, {"c"}, {"d"}, {"e", "f"}, "me"};
  const auto parsed = config_from_json(to_json(config, Secrets::kShow));
  EXPECT_THAT(parsed.errors, ElementsAre());
  EXPECT_EQ(parsed.value, config);
  EXPECT_THAT(resource_from_json<TlsPolicy>(json::object()).value.id, testing::StartsWith("tls-policy-"));
}

TEST(ConfigJson, an_empty_document_is_an_empty_config) {
  const auto parsed = config_from_json(json::object());
  EXPECT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value, Config());
}

TEST(ConfigJson, never_shows_a_private_key_unless_told) {
  const Config config = test::sample();
  EXPECT_THAT(to_json(config, Secrets::kHide).dump(), testing::Not(HasSubstr("PRIVATE")));
  EXPECT_THAT(to_json(config, Secrets::kHide).dump(), testing::Not(HasSubstr("private_key")));
  EXPECT_THAT(to_json(config.certificates.at("shop")).dump(), testing::Not(HasSubstr("PRIVATE")));
  EXPECT_THAT(to_json(config, Secrets::kShow).dump(), HasSubstr("PRIVATE"));
}

TEST(ConfigJson, names_an_unknown_member_wherever_it_stands) {
  json d = sample_document();
  d["routes"] = json::array();
  d["listeners"][1]["prot"] = 80;
  d["rules"][0]["paths"][1]["kind"] = "x";
  d["rules"][1]["action"]["server_groups"] = json::array();
  d["server_groups"][1]["health_check"]["a/b~c"] = 1;
  EXPECT_THAT(config_from_json(d).errors,
              UnorderedElementsAre(error("/routes", "is not a known member"),
                                   error("/listeners/1/prot", "is not a known member"),
                                   error("/rules/0/paths/1/kind", "is not a known member"),
                                   error("/rules/1/action/server_groups", "is not a known member"),
                                   error("/server_groups/1/health_check/a~1b~0c", "is not a known member")));
}

TEST(ConfigJson, names_each_wrong_type) {
  json d = sample_document();
  d["address_pools"] = json::object();
  d["load_balancers"][0]["addresses"] = "192.0.2.1";
  d["listeners"][0]["port"] = "443";
  d["listeners"][1]["access_log"] = 1;
  d["rules"][0] = "r";
  d["rules"][1]["action"] = json::array();
  d["rules"][2]["hosts"] = json::array({1});
  d["server_groups"][0]["members"][1]["address"] = 10;
  d["certificates"][0]["certificate"] = nullptr;
  EXPECT_THAT(config_from_json(d).errors,
              UnorderedElementsAre(error("/address_pools", "must be an array"),
                                   error("/load_balancers/0/addresses", "must be an array"),
                                   error("/listeners/0/port", "must be an integer between 0 and 4294967295"),
                                   error("/listeners/1/access_log", "must be true or false"),
                                   error("/rules/0", "must be an object"),
                                   error("/rules/1/action", "must be an object"),
                                   error("/rules/2/hosts/0", "must be a string or an object"),
                                   error("/server_groups/0/members/1/address", "must be a string"),
                                   error("/certificates/0/certificate", "must be a string")));
}

TEST(ConfigJson, takes_integers_only_and_only_those_that_fit) {
  for (const char* wrong :
       {"-1", "80.0", "80.5", "4294967296", "18446744073709551616", "1e3", "null", "true"}) {
    const auto d = json_from_text(std::string(R"({"load_balancer":"x","port":)") + wrong + "}");
    ASSERT_TRUE(d.ok()) << wrong;
    EXPECT_THAT(resource_from_json<Listener>(d.value, "a").errors,
                ElementsAre(error("/port", "must be an integer between 0 and 4294967295")))
        << wrong;
  }
  const auto d = json_from_text(R"({"load_balancer":"x","max_body_bytes":18446744073709551615})");
  const auto parsed = resource_from_json<Listener>(d.value, "a");
  EXPECT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value.max_body_bytes, 18446744073709551615ull);
}

TEST(ConfigJson, names_each_missing_member) {
  const json d = {{"address_pools", json::array({json::object()})},
                  {"listeners", {{{"id", "l"}}}},
                  {"rules",
                   {{{"id", "r"},
                     {"hosts", {json::object()}},
                     {"paths", {json::object()}},
                     {"conditions", {json::object()}},
                     {"action", json::object()}},
                    {{"id", "s"}, {"listener", "l"}, {"action", {{"type", "forward"}}}}}},
                  {"server_groups", {{{"id", "g"}, {"members", {json::object()}}}}},
                  {"certificates", {{{"id", "c"}}}}};
  const std::string required = "is required";
  EXPECT_THAT(config_from_json(d).errors,
              UnorderedElementsAre(
                  error("/address_pools/0/id", required), error("/address_pools/0/scheme", required),
                  error("/address_pools/0/ranges", required), error("/listeners/0/load_balancer", required),
                  error("/rules/0/listener", required), error("/rules/0/hosts/0/value", required),
                  error("/rules/0/paths/0/value", required), error("/rules/0/conditions/0/type", required),
                  error("/rules/0/action/type", required), error("/rules/1/action/server_groups", required),
                  error("/server_groups/0/members/0/address", required),
                  error("/server_groups/0/members/0/port", required),
                  error("/certificates/0/certificate", required)));
}

TEST(ConfigJson, an_unknown_action_type_is_refused) {
  json d = to_json(test::sample().rules.at("r-api"));
  for (const json& wrong : {json("drop"), json(1), json()}) {
    d["action"] = {{"type", wrong}};
    EXPECT_THAT(
        resource_from_json<Rule>(d).errors,
        ElementsAre(error("/action/type", "must be \"forward\", \"redirect\" or \"fixed_response\"")));
  }
}

TEST(ConfigJson, an_id_stands_once_and_is_well_formed) {
  const json d = {{"load_balancers",
                   {{{"id", "a"}},
                    {{"id", "b"}},
                    {{"id", "a"}},
                    {{"id", ""}},
                    {{"id", "x/y"}},
                    {{"id", std::string(129, 'a')}},
                    {{"id", ".."}},
                    {{"id", 7}}}}};
  const std::string rule =
      "must be 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-', and not \".\" or \"..\"";
  const auto errors = config_from_json(d).errors;
  EXPECT_THAT(errors,
              testing::Contains(error("/load_balancers/2/id", "is the id of /load_balancers/0 already")));
  for (const char* at : {"3", "4", "5", "6"}) {
    EXPECT_THAT(errors, testing::Contains(error(std::string("/load_balancers/") + at + "/id", rule)));
  }
  EXPECT_THAT(errors, testing::Contains(error("/load_balancers/7/id", "must be a string")));
}

TEST(ConfigJson, hosts_are_strings_or_objects) {
  const json d = {{"listener", "web"},
                  {"hosts", {"a.example", {{"value", "*.b.example"}, {"wildcard", "many"}}}},
                  {"action", {{"type", "fixed_response"}}}};
  const auto parsed = resource_from_json<Rule>(d, "r");
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed.value.hosts,
              ElementsAre(HostMatch{"a.example", "one"}, HostMatch{"*.b.example", "many"}));
}

TEST(ConfigJson, a_default_action_may_be_null) {
  const auto parsed =
      resource_from_json<Listener>({{"load_balancer", "x"}, {"default_action", nullptr}}, "l");
  EXPECT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed.value.default_action.has_value());
}

TEST(ResourceJson, takes_its_id_from_the_path_the_body_or_chance) {
  EXPECT_EQ(resource_from_json<LoadBalancer>(json::object(), "p").value.id, "p");
  EXPECT_EQ(resource_from_json<LoadBalancer>({{"id", "b"}}).value.id, "b");
  EXPECT_EQ(resource_from_json<LoadBalancer>({{"id", "b"}}, "b").value.id, "b");
  EXPECT_THAT(resource_from_json<LoadBalancer>({{"id", "b"}}, "p").errors,
              ElementsAre(error("/id", "must be \"p\", as in the path")));
  const auto one = resource_from_json<LoadBalancer>(json::object());
  const auto two = resource_from_json<LoadBalancer>(json::object());
  EXPECT_TRUE(one.ok());
  EXPECT_THAT(one.value.id, testing::StartsWith("load-balancer-"));
  EXPECT_NE(one.value.id, two.value.id);
  EXPECT_FALSE(resource_from_json<LoadBalancer>(json::object(), "a b").ok());
  EXPECT_THAT(resource_from_json<LoadBalancer>(json::array()).errors,
              ElementsAre(error("", "must be an object")));
}

TEST(ResourceJson, a_hundred_errors_are_enough) {
  json d = {{"rules", json::array()}};
  for (int i = 0; i < 1000; ++i) d["rules"].push_back(i);
  EXPECT_EQ(config_from_json(d).errors.size(), 100u);
}

TEST(JsonText, refuses_what_a_lenient_parser_lets_pass) {
  EXPECT_THAT(json_from_text(R"({"a":{"b":1,"c":[{"b":2}],"b":3}})").errors,
              ElementsAre(error("", "holds the member \"b\" twice in one object")));
  EXPECT_TRUE(json_from_text(R"({"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":2}]})").ok());
  EXPECT_TRUE(json_from_text(std::string(32, '[') + std::string(32, ']')).ok());
  EXPECT_THAT(json_from_text(std::string(33, '[') + std::string(33, ']')).errors,
              ElementsAre(error("", "is nested deeper than 32 levels")));
  EXPECT_FALSE(json_from_text(std::string(100000, '[')).ok());
  EXPECT_FALSE(json_from_text(std::string(100000, '[') + R"({"a":1,"a":2}))").ok());
}

TEST(JsonText, says_where_the_text_is_wrong) {
  for (const char* wrong :
       {"", "{", "{'a':1}", "{\"a\":1,}", "[1] [2]", "{\"a\":\"\xff\"}", "nul", "{\"a\":01}", "1e999"}) {
    const auto parsed = json_from_text(wrong);
    ASSERT_EQ(parsed.errors.size(), 1u) << wrong;
    EXPECT_EQ(parsed.errors[0].path, "");
    EXPECT_THAT(parsed.errors[0].message, testing::StartsWith("is not JSON: ")) << wrong;
    EXPECT_THAT(parsed.errors[0].message, testing::Not(HasSubstr("exception"))) << wrong;
  }
  EXPECT_THAT(json_from_text("{\n  \"a\": x}").errors[0].message, HasSubstr("line 2, column 8"));
}

TEST(ErrorPaths, become_indices_of_the_document_that_was_sent) {
  const json d = {{"rules", {{{"id", "a"}}, 7, {{"id", "b.c"}}}}};
  const auto errors = errors_for_document(
      {error("/rules/b.c/paths/0/value", "m"), error("/rules/a", "m"), error("/rules/gone/id", "m"),
       error("/listeners/l/port", "m"), error("", "m"), error("/rules", "m")},
      d);
  EXPECT_THAT(errors, ElementsAre(error("/rules/2/paths/0/value", "m"), error("/rules/0", "m"),
                                  error("/rules/gone/id", "m"), error("/listeners/l/port", "m"),
                                  error("", "m"), error("/rules", "m")));
}

TEST(ErrorPaths, become_relative_to_the_resource_that_was_sent) {
  const auto errors = errors_for_resource(
      {error("/rules/a/paths/0/value", "m"), error("/rules/a", "m"), error("/rules/ab/id", "m")}, "rules",
      "a");
  EXPECT_THAT(errors, ElementsAre(error("/paths/0/value", "m"), error("", "m"), error("/rules/ab/id", "m")));
}

}  // namespace
}  // namespace sluice::mgmt::config
