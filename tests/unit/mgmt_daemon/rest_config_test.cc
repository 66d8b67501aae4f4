// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <thread>

#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class WholeConfig : public RestTest {};

json document() {
  return {{"load_balancers", {{{"id", "lb"}, {"addresses", {"192.0.2.1"}}}}},
          {"listeners", {{{"id", "web"}, {"load_balancer", "lb"}, {"port", 80}}}},
          {"rules", {{{"id", "r"}, {"listener", "web"}, {"action", {{"type", "fixed_response"}}}}}}};
}

TEST_F(WholeConfig, put_replaces_everything_in_one_revision_and_tells_what_changed) {
  const Reply first = call("PUT", "/api/v1/config", document());
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_EQ(first.body["revision"], 1);
  EXPECT_EQ(first.body["outcome"], "applied");
  EXPECT_EQ(first.body["changes"]["rules"]["created"], json::array({"r"}));

  json next = document();
  next.erase("rules");
  next["listeners"][0]["port"] = 8080;
  const Reply second = call("PUT", "/api/v1/config", next);
  EXPECT_EQ(second.body["revision"], 2);
  EXPECT_EQ(second.body["changes"]["rules"]["deleted"], json::array({"r"}));
  EXPECT_EQ(second.body["changes"]["listeners"]["changed"], json::array({"web"}));
  EXPECT_FALSE(second.body["changes"].contains("load_balancers"));
}

TEST_F(WholeConfig, what_get_shows_can_be_put_back_unchanged) {
  create_example();
  const Pem pem = make_pem("a.example");
  ASSERT_EQ(call("POST", "/api/v1/certificates",
                 json{{"id", "c"}, {"certificate", pem.certificate}, {"private_key", pem.private_key}})
                .status,
            201);
  const Reply read = call("GET", "/api/v1/config");
  const Reply put = call("PUT", "/api/v1/config", read.body, {"If-Match: " + read.headers.at("etag")});
  EXPECT_EQ(put.status, 200) << put.text;
  EXPECT_EQ(put.body["outcome"], "unchanged");
  EXPECT_EQ(put.body["changes"], json::object());
  EXPECT_EQ(engine_->current()->certificates.at("c").private_key, pem.private_key);
}

TEST_F(WholeConfig, a_dry_run_stores_nothing) {
  const Reply dry = call("PUT", "/api/v1/config?dry_run=true", document());
  EXPECT_EQ(dry.status, 200);
  EXPECT_EQ(dry.body["outcome"], "dry_run");
  EXPECT_EQ(dry.body["changes"]["rules"]["created"], json::array({"r"}));
  EXPECT_EQ(engine_->revision(), 0u);
  EXPECT_TRUE(engine_->current()->rules.empty());
}

TEST_F(WholeConfig, if_match_is_the_revision) {
  ASSERT_EQ(call("PUT", "/api/v1/config", document()).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/config").headers.at("etag"), "\"1\"");
  EXPECT_EQ(call("PUT", "/api/v1/config", json::object(), {"If-Match: \"0\""}).status, 412);
  EXPECT_EQ(call("PUT", "/api/v1/config", json::object(), {"If-Match: old"}).status, 400);
  EXPECT_EQ(call("PUT", "/api/v1/config", json::object(), {"If-Match: 1"}).status, 200);
}

TEST_F(WholeConfig, wrong_fields_have_the_index_of_the_document) {
  json wrong = document();
  wrong["listeners"].push_back({{"id", "bad"}, {"load_balancer", "nowhere"}, {"port", 70000}});
  wrong["rules"][0]["listner"] = "web";
  const Reply shape = call("PUT", "/api/v1/config", wrong);
  EXPECT_EQ(shape.status, 422);
  EXPECT_EQ(shape.body["errors"][0]["path"], "/rules/0/listner");
  wrong["rules"][0].erase("listner");
  const Reply meaning = call("PUT", "/api/v1/config", wrong);
  EXPECT_EQ(meaning.status, 422);
  std::set<std::string> paths;
  for (const json& e : meaning.body["errors"]) paths.insert(e["path"]);
  EXPECT_TRUE(paths.contains("/listeners/1/port")) << meaning.text;
  EXPECT_TRUE(paths.contains("/listeners/1/load_balancer")) << meaning.text;
  EXPECT_EQ(engine_->revision(), 0u);
}

TEST_F(WholeConfig, the_sample_is_accepted) {
  std::ifstream in(SLUICE_SOURCE_ROOT "/docs/samples/example.json");
  const Reply r = call("PUT", "/api/v1/config", json::parse(in));
  EXPECT_EQ(r.status, 200) << r.text;
}

TEST_F(WholeConfig, revisions_are_listed_shown_and_rolled_back_to) {
  ASSERT_EQ(call("PUT", "/api/v1/config", document()).status, 200);
  ASSERT_EQ(call("DELETE", "/api/v1/rules/r").status, 204);
  const Reply list = call("GET", "/api/v1/revisions");
  ASSERT_EQ(list.body["items"].size(), 2u);
  EXPECT_EQ(list.body["running"], 2);
  EXPECT_EQ(list.body["items"][0]["revision"], 2);
  EXPECT_EQ(list.body["items"][0]["author"], "root");
  EXPECT_EQ(list.body["items"][0]["comment"], "DELETE /api/v1/rules/r");
  EXPECT_EQ(call("GET", "/api/v1/revisions?limit=1").body["items"].size(), 1u);

  const Reply one = call("GET", "/api/v1/revisions/1");
  EXPECT_EQ(one.body["config"]["rules"].size(), 1u);
  EXPECT_EQ(one.body["changes_to_running"]["rules"]["deleted"], json::array({"r"}));

  EXPECT_EQ(call("POST", "/api/v1/revisions/1/rollback?dry_run=true").body["outcome"], "dry_run");
  const Reply back = call("POST", "/api/v1/revisions/1/rollback");
  ASSERT_EQ(back.status, 200) << back.text;
  EXPECT_EQ(back.body["revision"], 3);
  EXPECT_EQ(back.body["changes"]["rules"]["created"], json::array({"r"}));
  EXPECT_EQ(call("GET", "/api/v1/rules/r").status, 200);
  EXPECT_EQ(call("GET", "/api/v1/revisions").body["items"][0]["comment"], "rollback to revision 1");
  EXPECT_EQ(call("GET", "/api/v1/revisions/99").status, 404);
  EXPECT_EQ(call("POST", "/api/v1/revisions/x/rollback").status, 404);
}

TEST_F(WholeConfig, changes_are_audited_with_their_author_and_refusals_too) {
  ASSERT_EQ(call("PUT", "/api/v1/config", document()).status, 200);
  ASSERT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"port", 0}}).status, 422);
  const Reply audit = call("GET", "/api/v1/audit");
  ASSERT_EQ(audit.body["items"].size(), 2u) << audit.text;
  EXPECT_EQ(audit.body["items"][0]["action"], "PATCH /api/v1/listeners/web");
  EXPECT_EQ(audit.body["items"][0]["outcome"], "invalid");
  EXPECT_EQ(audit.body["items"][1]["author"], "root");
  const Reply events = call("GET", "/api/v1/events");
  ASSERT_EQ(events.body["items"].size(), 1u) << "neither the refused one, nor";
  ASSERT_EQ(call("PUT", "/api/v1/config", document()).body["outcome"], "unchanged");
  ASSERT_EQ(call("PUT", "/api/v1/config?dry_run=true", json::object()).body["outcome"], "dry_run");
  EXPECT_EQ(call("GET", "/api/v1/events").body["items"].size(), 1u) << "what changed nothing, is one";
  EXPECT_EQ(events.body["items"][0]["type"], "config_changed");
  EXPECT_EQ(events.body["items"][0]["subject"], "revision 1");
  EXPECT_EQ(call("GET", "/api/v1/events?after=1").body["items"].size(), 0u);
}

TEST_F(WholeConfig, readers_see_whole_states_while_writers_change_them) {
  ASSERT_EQ(call("PUT", "/api/v1/config", document()).status, 200);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) {
      json next = document();
      const std::string name = "n" + std::to_string(i);
      next["listeners"][0]["id"] = name;
      next["rules"][0]["listener"] = name;
      EXPECT_EQ(call("PUT", "/api/v1/config", next).status, 200);
    }
    stop = true;
  });
  while (!stop) {
    const Reply r = call("GET", "/api/v1/config");
    EXPECT_EQ(r.body["rules"][0]["listener"], r.body["listeners"][0]["id"]);
  }
  writer.join();
}

}  // namespace
}  // namespace sluice::mgmt::test
