// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/appliance/appliances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/unit/mgmt_ingress/running_server.h"

namespace sluice::mgmt::ingress::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// Holds one server group with our mark, until it is told to delete it; takes one token.
class FakeAppliance {
 public:
  FakeAppliance() {
    server_.Get("/api/v1/config", [this](const httplib::Request& q, httplib::Response& r) {
      if (!enters(q, r)) return;
      json groups = json::array();
      if (holds_) groups.push_back({{"id", "g"}, {"managed_by", "sluice-ingress/k8s"}});
      r.set_content(json{{"server_groups", groups}}.dump(), "application/json");
    });
    server_.Patch("/api/v1/config", [this](const httplib::Request& q, httplib::Response& r) {
      if (!enters(q, r)) return;
      holds_ = false;
      deleted_ = json::parse(q.body)["delete"];
    });
    running_.emplace(server_);
  }
  std::string url() const { return running_->url(); }
  void take(const std::string& token) {
    const std::lock_guard lock(mutex_);
    token_ = token;
  }
  bool holds() {
    const std::lock_guard lock(mutex_);
    return holds_;
  }
  int asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  json deleted() {
    const std::lock_guard lock(mutex_);
    return deleted_;
  }

 private:
  bool enters(const httplib::Request& q, httplib::Response& r) {
    const std::lock_guard lock(mutex_);
    ++asked_;
    r.set_header("ETag", "\"" + std::to_string(asked_) + "\"");
    if (q.get_header_value("Authorization") == "Bearer " + token_) return true;
    r.status = 401;
    return false;
  }

  httplib::Server server_;
  std::mutex mutex_;
  std::string token_ = "first";
  bool holds_ = true;
  int asked_ = 0;
  json deleted_;
  std::optional<RunningServer> running_;
};

class AppliancesTest : public testing::Test {
 protected:
  AppliancesTest() {
    named.classes["c"] = {fake.url()};
    named.secrets[fake.url()] = key;
    open_with("first");
  }
  void open_with(const std::string& token) {
    cluster.appliance_secrets[key] = {.token = token, .ca = "", .missing = false, .problem = ""};
    appliances.follow(named, cluster);
    appliances.remembered(appliances.memory());
  }
  /// What those want that nobody names any more.
  void say_farewell(Appliances& all) {
    auto farewell = std::make_shared<Wanted>();
    farewell->farewell = true;
    farewell->version = 1;
    const auto fleets = all.fleets({});
    ASSERT_EQ(fleets.size(), 1u);
    EXPECT_TRUE(fleets[0].classes.empty());
    EXPECT_FALSE(fleets[0].pending);
    all.want(fleets[0].appliances, farewell);
  }
  template <class T>
  bool eventually(T condition) {
    const auto end = HttpLoop::Clock::now() + 20s;
    while (!condition() && HttpLoop::Clock::now() < end) loop.poll(20ms);
    return condition();
  }
  bool reachable() const { return appliances.all().size() == 1 && appliances.all()[0]->reachable(); }

  FakeAppliance fake;
  HttpLoop loop;
  Settings settings;
  Cluster cluster;
  const ObjectKey key{"sluice-system", "s"};
  Assignment named;
  Appliances appliances{loop, settings, [] {}, [] {}};
};

TEST_F(AppliancesTest, a_token_that_rotates_is_used_at_once_without_waiting_for_the_next_attempt) {
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  fake.take("second");
  appliances.want({fake.url()}, std::make_shared<Wanted>());
  ASSERT_TRUE(eventually([&] { return !reachable(); }));
  EXPECT_TRUE(fake.holds());
  open_with("second");
  EXPECT_TRUE(eventually([&] { return reachable() && !fake.holds(); }));
}

TEST_F(AppliancesTest, one_whose_secret_is_gone_is_not_asked_any_more_and_what_was_known_stays) {
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  cluster.appliance_secrets[key] = {.token = "", .ca = "", .missing = true, .problem = "it does not exist"};
  appliances.follow(named, cluster);
  appliances.want({fake.url()}, std::make_shared<Wanted>());
  const int asked = fake.asked();
  for (int i = 0; i < 20; ++i) loop.poll(20ms);
  EXPECT_EQ(fake.asked(), asked);
  EXPECT_TRUE(fake.holds());
  EXPECT_FALSE(reachable());
  EXPECT_NE(appliances.all()[0]->state(), nullptr);
  EXPECT_FALSE(appliances.settled({fake.url()}));
  open_with("first");
  EXPECT_TRUE(eventually([&] { return reachable() && !fake.holds(); }));
}

TEST_F(AppliancesTest, one_that_nobody_names_any_more_is_emptied_and_then_forgotten) {
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  appliances.follow({}, cluster);
  appliances.forget_left();
  ASSERT_EQ(appliances.all().size(), 1u) << "it holds something of ours";
  EXPECT_EQ(appliances.memory(), (ApplianceMemory{{fake.url(), key}})) << "the next controller would go on";
  say_farewell(appliances);
  EXPECT_TRUE(eventually([&] { return appliances.all_settled(); }));
  EXPECT_EQ(fake.deleted(), json({{"server_groups", {"g"}}}));
  appliances.forget_left();
  EXPECT_TRUE(appliances.all().empty());
  EXPECT_TRUE(appliances.all_settled());
  EXPECT_TRUE(appliances.memory().empty());
}

TEST_F(AppliancesTest, one_that_was_dropped_while_no_controller_ran_is_opened_emptied_and_forgotten) {
  Appliances next{loop, settings, [] {}, [] {}};
  next.recall({{fake.url(), key}});
  EXPECT_EQ(next.secrets(), std::set<ObjectKey>{key});
  next.forget_left();
  ASSERT_EQ(next.all().size(), 1u) << "its Secret was not read yet";
  next.follow({}, cluster);
  EXPECT_TRUE(next.secrets().empty()) << "it is open: its Secret may go now";
  ASSERT_TRUE(eventually([&] { return next.all()[0]->reachable(); }));
  next.forget_left();
  ASSERT_EQ(next.all().size(), 1u) << "it holds something of ours";
  say_farewell(next);
  EXPECT_TRUE(eventually([&] { return next.all_settled(); }));
  EXPECT_EQ(fake.deleted(), json({{"server_groups", {"g"}}}));
  next.forget_left();
  EXPECT_TRUE(next.all().empty());
}

TEST_F(AppliancesTest, one_that_was_dropped_and_lost_its_secret_is_forgotten_as_it_is_when_that_is_certain) {
  Appliances next{loop, settings, [] {}, [] {}};
  next.recall({{fake.url(), key}});
  cluster.appliance_secrets[key] = {.token = "", .ca = "", .unread = true, .problem = "it cannot be read"};
  next.follow({}, cluster);
  next.forget_left();
  EXPECT_EQ(next.secrets(), std::set<ObjectKey>{key});
  ASSERT_EQ(next.all().size(), 1u) << "it may be there all the same";
  cluster.appliance_secrets[key] = {.token = "", .ca = "", .missing = true, .problem = "it does not exist"};
  next.follow({}, cluster);
  next.forget_left();
  EXPECT_TRUE(next.all().empty());
  EXPECT_TRUE(fake.holds());
}

TEST_F(AppliancesTest, one_that_is_recalled_and_named_is_like_any_other) {
  appliances.recall({{fake.url(), key}});
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  EXPECT_FALSE(appliances.fleets(named)[0].pending);
  Appliances next{loop, settings, [] {}, [] {}};
  next.recall({{fake.url(), key}});
  next.follow(named, cluster);
  next.want({fake.url()}, std::make_shared<Wanted>());
  EXPECT_TRUE(eventually([&] { return !fake.holds(); }));
  next.forget_left();
  EXPECT_EQ(next.all().size(), 1u);
}

TEST_F(AppliancesTest, nothing_is_decided_for_one_that_the_next_controller_would_not_know_of) {
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  appliances.remembered({});
  EXPECT_TRUE(appliances.fleets(named)[0].pending);
  appliances.remembered(appliances.memory());
  EXPECT_FALSE(appliances.fleets(named)[0].pending);
  appliances.recall({});  // It leads again; another has written the Lease meanwhile.
  EXPECT_TRUE(appliances.fleets(named)[0].pending);
  settings.leader_election = false;
  EXPECT_FALSE(appliances.fleets(named)[0].pending) << "there is no Lease";
}

TEST_F(AppliancesTest, one_that_is_left_without_a_secret_is_forgotten_as_it_is) {
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  cluster.appliance_secrets[key] = {.token = "", .ca = "", .missing = true, .problem = "it does not exist"};
  appliances.follow(named, cluster);
  appliances.follow({}, cluster);
  appliances.forget_left();
  EXPECT_TRUE(appliances.all().empty());
  EXPECT_TRUE(fake.holds());
}

TEST_F(AppliancesTest, one_that_is_named_again_while_it_is_emptied_stays) {
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  appliances.follow({}, cluster);
  appliances.follow(named, cluster);
  appliances.want({fake.url()}, std::make_shared<Wanted>());
  EXPECT_TRUE(eventually([&] { return !fake.holds(); }));
  appliances.forget_left();
  EXPECT_EQ(appliances.all().size(), 1u);
}

TEST_F(AppliancesTest, a_fleet_is_pending_until_each_of_it_was_read) {
  EXPECT_TRUE(appliances.fleets(named)[0].pending);
  EXPECT_FALSE(appliances.known());
  ASSERT_TRUE(eventually([&] { return reachable(); }));
  EXPECT_FALSE(appliances.fleets(named)[0].pending);
  EXPECT_TRUE(appliances.known());
  named.classes["c"].push_back("http://127.0.0.1:9");
  named.secrets["http://127.0.0.1:9"] = {"sluice-system", "unknown"};
  appliances.follow(named, cluster);
  EXPECT_TRUE(appliances.fleets(named)[0].pending);
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
