// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class RestTicketKeys : public RestTest {
 protected:
  static constexpr const char* kPath = "/api/v1/tls/ticket-keys";
  static std::string secret(char c) { return std::string(64, c); }
  static json document(std::initializer_list<char> keys) {
    json out = {{"keys", json::array()}};
    for (const char c : keys) out["keys"].push_back({{"secret", secret(c)}});
    return out;
  }
};

TEST_F(RestTicketKeys, are_made_here_until_somebody_sets_them_and_again_when_he_takes_them_away) {
  Reply r = call("GET", kPath);
  ASSERT_EQ(r.status, 200);
  EXPECT_EQ(r.body["source"], "generated");
  EXPECT_EQ(r.body["keys"].size(), 1u);
  EXPECT_EQ(r.body["rotation_s"], 3600);
  EXPECT_EQ(r.body["ticket_lifetime_s"], 7200);
  const std::string own = r.body["keys"][0]["name"];

  r = call("PUT", kPath, document({'a', 'b'}));
  ASSERT_EQ(r.status, 200) << r.text;
  EXPECT_EQ(r.body["source"], "configured");
  ASSERT_EQ(r.body["keys"].size(), 2u);
  EXPECT_EQ(r.body["rotation_s"], nullptr);
  const json set = r.body["keys"];
  EXPECT_THAT(r.text, Not(HasSubstr(secret('a'))));
  EXPECT_EQ(r.headers["sluice-outcome"], "applied");
  // In another order the names follow: the current one comes first.
  EXPECT_EQ(call("PUT", kPath, document({'b', 'a'})).body["keys"][0]["name"], set[1]["name"]);
  EXPECT_EQ(call("GET", kPath).body["keys"][1]["name"], set[0]["name"]);
  EXPECT_EQ(engine_->audit(1).at(0).action, std::string("PUT ") + kPath);

  r = call("DELETE", kPath);
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body["source"], "generated");
  EXPECT_NE(r.body["keys"][0]["name"], own);
}

TEST_F(RestTicketKeys, wrong_ones_are_refused_by_their_place_and_change_nothing) {
  const struct {
    json document;
    const char *path, *message;
  } cases[] = {
      {json::array(), "", "must be an object"},
      {json::object(), "/keys", "is required"},
      {{{"keys", json::array()}}, "/keys", "1 to 8"},
      {{{"keys", json::array({json::object()})}}, "/keys/0/secret", "is required"},
      {{{"keys", json::array({"x"})}}, "/keys/0", "must be an object"},
      {{{"keys", json::array({{{"secret", 5}}})}}, "/keys/0/secret", "must be a text"},
      {{{"keys", json::array({{{"secret", "zz"}}})}}, "/keys/0/secret", "hexadecimal"},
      {{{"keys", json::array({{{"secret", "abcd"}}})}}, "/keys/0/secret", "32 to 256 bytes"},
      {{{"keys", json::array({{{"secret", secret('a')}, {"name", "x"}}})}}, "/keys/0/name", "unknown"},
      {document({'a', 'a'}), "/keys/1/secret", "twice"},
      {document({'0', '1', '2', '3', '4', '5', '6', '7', '8'}), "/keys", "1 to 8"},
      {{{"keys", document({'a'})["keys"]}, {"rotation", 1}}, "/rotation", "unknown"},
  };
  const json before = call("GET", kPath).body;
  for (const auto& c : cases) {
    const Reply r = call("PUT", kPath, c.document);
    EXPECT_EQ(r.status, 422) << c.document;
    EXPECT_EQ(r.body["errors"][0]["path"], c.path) << r.text;
    EXPECT_THAT(r.body["errors"][0]["message"].get<std::string>(), HasSubstr(c.message));
    EXPECT_THAT(r.text, Not(HasSubstr(secret('a'))));
  }
  EXPECT_EQ(call("GET", kPath).body, before);
  EXPECT_EQ(as(kViewer, "PUT", kPath, document({'a'}).dump()).status, 403);
  EXPECT_EQ(as(kViewer, "GET", kPath).status, 200);
  EXPECT_EQ(call("PUT", std::string(kPath) + "?dry_run=true", document({'a'})).status, 400);
}

TEST_F(RestTicketKeys, are_not_part_of_the_configuration_nor_of_its_history) {
  ASSERT_EQ(call("PUT", kPath, document({'a'})).status, 200);
  create_example();
  EXPECT_THAT(call("GET", "/api/v1/config").text, Not(HasSubstr("ticket")));
  EXPECT_EQ(call("GET", kPath).body["source"], "configured");
}

}  // namespace
}  // namespace sluice::mgmt::test
