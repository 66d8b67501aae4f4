// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// The example's group "backends" under the mark of a controller.
class OwnershipMarks : public RestTest {
 protected:
  OwnershipMarks() {
    EXPECT_EQ(call("PUT", "/api/v1/server-groups/g", json{{"managed_by", "ingress"}}, as_manager_).status,
              201);
  }
  const Lines as_manager_ = {"Sluice-Manager: ingress"};
  static constexpr const char* kGroup = "/api/v1/server-groups/g";
};

TEST_F(OwnershipMarks, another_cannot_change_or_delete_a_managed_object_and_is_told_why) {
  const Reply put = call("PUT", kGroup, json{{"connect_attempts", 1}});
  EXPECT_EQ(put.status, 409);
  EXPECT_THAT(put.text, HasSubstr("managed by"));
  EXPECT_EQ(put.body["errors"][0]["path"], "/server_groups/g");
  EXPECT_EQ(call("PATCH", kGroup, json{{"connect_attempts", 1}}).status, 409);
  EXPECT_EQ(call("DELETE", kGroup).status, 409);
  EXPECT_EQ(call("DELETE", kGroup, "", {"Sluice-Manager: other"}).status, 409);
  EXPECT_EQ(call("GET", kGroup).body["connect_attempts"], 3) << "nothing was changed";
}

TEST_F(OwnershipMarks, the_manager_itself_and_an_explicit_override_may) {
  EXPECT_EQ(call("PATCH", kGroup, json{{"connect_attempts", 1}}, as_manager_).status, 200);
  EXPECT_EQ(
      call("PATCH", std::string(kGroup) + "?override_manager=true", json{{"connect_attempts", 2}}).status,
      200);
  EXPECT_EQ(call("DELETE", std::string(kGroup) + "?override_manager=maybe").status, 400);
  EXPECT_EQ(call("DELETE", std::string(kGroup) + "?override_manager=true").status, 204);
}

TEST_F(OwnershipMarks, a_mark_is_neither_taken_nor_given_by_others) {
  EXPECT_EQ(call("PATCH", kGroup, json{{"managed_by", ""}}).status, 409);
  EXPECT_EQ(call("POST", "/api/v1/server-groups", json{{"id", "h"}, {"managed_by", "ingress"}}).status, 409);
  EXPECT_EQ(call("PATCH", kGroup, json{{"managed_by", ""}}, as_manager_).status, 200)
      << "the manager lets go";
  EXPECT_EQ(call("DELETE", kGroup).status, 204);
}

TEST_F(OwnershipMarks, the_whole_config_may_be_put_as_long_as_managed_objects_stay_as_they_are) {
  json whole = call("GET", "/api/v1/config").body;
  whole["server_groups"].push_back({{"id", "own"}});
  EXPECT_EQ(call("PUT", "/api/v1/config", whole).status, 200);
  for (json& g : whole["server_groups"]) g["connect_attempts"] = 1;
  const Reply changed = call("PUT", "/api/v1/config", whole);
  EXPECT_EQ(changed.status, 409);
  ASSERT_EQ(changed.body["errors"].size(), 1u);
  EXPECT_EQ(call("PUT", "/api/v1/config", json::object()).status, 409) << "left out is deleted";
  EXPECT_EQ(call("PUT", "/api/v1/config?override_manager=true", json::object()).status, 200);
}

TEST_F(OwnershipMarks, a_rollback_over_managed_objects_needs_an_override) {
  ASSERT_EQ(call("PATCH", kGroup, json{{"connect_attempts", 1}}, as_manager_).status, 200);
  EXPECT_EQ(call("POST", "/api/v1/revisions/1/rollback").status, 409);
  EXPECT_EQ(call("POST", "/api/v1/revisions/1/rollback?override_manager=true").status, 200);
}

class PatchConfig : public RestTest {};

TEST_F(PatchConfig, puts_and_deletes_of_several_kinds_are_one_revision) {
  create_example();
  const std::uint64_t before = engine_->revision();
  const json config = call("GET", "/api/v1/config").body;
  const std::string rule = config["rules"][0]["id"], group = config["server_groups"][0]["id"];
  const Reply done = call("PATCH", "/api/v1/config",
                          json{{"put", {{"server_groups", {{{"id", "new"}}}}}},
                               {"delete", {{"rules", {rule, "gone-already"}}, {"server_groups", {group}}}}});
  ASSERT_EQ(done.status, 200) << done.text;
  EXPECT_EQ(done.body["revision"], before + 1);
  EXPECT_EQ(done.body["changes"]["server_groups"]["created"], json::array({"new"}));
  EXPECT_EQ(done.body["changes"]["rules"]["deleted"], json::array({rule}));
  EXPECT_TRUE(engine_->current()->listeners.contains(config["listeners"][0]["id"])) << "the rest stays";
}

TEST_F(PatchConfig, is_refused_whole_with_pointers_into_what_was_sent) {
  const Reply wrong =
      call("PATCH", "/api/v1/config",
           json{{"put", {{"server_groups", {{{"id", "a"}}, {{"id", "b"}, {"scheduler", "x"}}}}}}});
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.body["errors"][0]["path"], "/put/server_groups/1/scheduler");
  EXPECT_TRUE(engine_->current()->server_groups.empty());
  EXPECT_EQ(call("PATCH", "/api/v1/config", json{{"putt", json::object()}}).status, 422);
  EXPECT_EQ(call("PATCH", "/api/v1/config", json{{"put", {{"rules", 3}}}}).body["errors"][0]["path"],
            "/put/rules");
  EXPECT_EQ(call("PATCH", "/api/v1/config", json{{"delete", {{"roles", {"a"}}}}}).body["errors"][0]["path"],
            "/delete/roles");
  EXPECT_EQ(call("PATCH", "/api/v1/config", json{{"delete", {{"rules", {1}}}}}).status, 422);
  EXPECT_EQ(call("PATCH", "/api/v1/config", json::array()).status, 422);
}

TEST_F(PatchConfig, if_match_holds_it_to_the_revision_that_was_read) {
  create_example();
  const std::string tag = call("GET", "/api/v1/config").headers.at("etag");
  const json change = {{"put", {{"server_groups", {{{"id", "x"}}}}}}};
  EXPECT_EQ(call("PATCH", "/api/v1/config", change, {"If-Match: " + tag}).status, 200);
  EXPECT_EQ(call("PATCH", "/api/v1/config", change, {"If-Match: " + tag}).status, 412);
}

}  // namespace
}  // namespace sluice::mgmt::test
