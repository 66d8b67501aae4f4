// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "mgmt/config/json.h"
#include "mgmt/store/database.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt {
namespace {

using config::Config;
using config::FieldError;
using testing::ElementsAre;
using testing::HasSubstr;
using Outcome = ApplyResult::Outcome;

class EngineTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kWorkers = 2;

  EngineTest() { open(); }

  void open() {
    engine_.reset();
    auto opened = Engine::open({folder_.path(), kWorkers}, shared_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine_ = std::move(opened).value();
  }
  void start() {
    const Status started = engine_->start(rcu_);
    ASSERT_TRUE(started.ok()) << started.error().message;
  }
  ApplyResult apply(const Config& c) { return engine_->apply(c, {false, {}, "alice", "PUT /config"}); }
  const l7::Snapshot* snapshot() const { return shared_.snapshot.read(); }
  std::string database() const { return folder_.path() + "/sluice.db"; }

  test::TempFolder folder_;
  l7::proxy::Shared shared_{kWorkers, 16};
  Rcu rcu_{kWorkers};
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, an_empty_folder_starts_with_an_empty_snapshot) {
  EXPECT_EQ(snapshot(), nullptr) << "nothing before start";
  start();
  ASSERT_NE(snapshot(), nullptr);
  EXPECT_EQ(snapshot()->revision, 0u);
  EXPECT_TRUE(snapshot()->listeners.empty());
  EXPECT_EQ(engine_->revision(), 0u);
}

TEST_F(EngineTest, a_change_is_stored_and_published) {
  start();
  const ApplyResult r = apply(test::sample());
  EXPECT_EQ(r.outcome, Outcome::kApplied);
  EXPECT_EQ(r.revision, 1u);
  EXPECT_EQ(engine_->revision(), 1u);
  EXPECT_EQ(*engine_->current(), test::sample());
  EXPECT_EQ(snapshot()->revision, 1u);
  EXPECT_EQ(snapshot()->listeners.size(), 2u);
  EXPECT_EQ(engine_->revision_config(1).value(), test::sample());
  const auto revisions = engine_->revisions(10);
  ASSERT_EQ(revisions.size(), 1u);
  EXPECT_EQ(revisions[0].author, "alice");
  EXPECT_EQ(revisions[0].comment, "PUT /config");
}

TEST_F(EngineTest, staples_are_published_with_the_first_revision_and_each_later_one_and_are_no_revision) {
  apply(test::sample());
  open();
  EXPECT_TRUE(engine_->certificates().empty()) << "nothing is compiled yet";
  ASSERT_TRUE(engine_->load().ok());
  EXPECT_EQ(snapshot(), nullptr);
  const auto certificates = engine_->certificates();
  ASSERT_EQ(certificates.size(), 1u);
  EXPECT_EQ(certificates[0].id, "shop");
  EXPECT_TRUE(certificates[0].presented);
  EXPECT_TRUE(certificates[0].ocsp_stapling);
  const auto staples = std::make_shared<const l7::tls::Staples>(std::vector<std::shared_ptr<const l7::tls::Staple>>{});
  engine_->set_staples(staples);
  start();
  EXPECT_EQ(snapshot()->staples, staples);
  EXPECT_EQ(engine_->certificates()[0].certificate, certificates[0].certificate);

  const auto later = std::make_shared<const l7::tls::Staples>(std::vector<std::shared_ptr<const l7::tls::Staple>>{});
  engine_->set_staples(later);
  EXPECT_EQ(snapshot()->staples, later);
  EXPECT_EQ(snapshot()->revision, 1u);
  Config c = test::sample();
  c.listeners["secure"].certificates.clear();
  c.certificates["shop"].ocsp_stapling = false;
  apply(c);
  EXPECT_EQ(snapshot()->staples, later);
  EXPECT_EQ(engine_->certificates()[0].certificate, certificates[0].certificate) << "chain and key are the same";
  EXPECT_FALSE(engine_->certificates()[0].presented);
  EXPECT_FALSE(engine_->certificates()[0].ocsp_stapling);
}

TEST_F(EngineTest, a_change_before_start_is_published_by_start) {
  EXPECT_EQ(apply(test::sample()).outcome, Outcome::kApplied);
  EXPECT_EQ(snapshot(), nullptr);
  start();
  EXPECT_EQ(snapshot()->revision, 1u);
}

TEST_F(EngineTest, a_restart_serves_the_last_revision_with_the_same_ages) {
  start();
  apply(test::sample());
  Config c = test::sample();
  config::Rule newer = c.rules["r-api"];
  newer.id = "a-newer";
  c.rules[newer.id] = newer;
  apply(c);
  open();
  EXPECT_EQ(engine_->revision(), 2u);
  EXPECT_EQ(*engine_->current(), c);
  start();
  EXPECT_EQ(snapshot()->revision, 2u);
  Engine::ExplainRequest request{
      {*IpAddr::parse("192.0.2.1"), 80}, "GET", "shop.example", "/api", "", {{"X-Beta", "1"}},
      *IpAddr::parse("10.0.0.99")};
  EXPECT_EQ(engine_->explain(request).rule, "r-api") << "the older of two equal rules";
  EXPECT_EQ(apply(c).outcome, Outcome::kUnchanged);
}

TEST_F(EngineTest, the_same_again_is_no_new_revision) {
  start();
  apply(test::sample());
  const auto* before = snapshot();
  const ApplyResult r = apply(test::sample());
  EXPECT_EQ(r.outcome, Outcome::kUnchanged);
  EXPECT_EQ(r.revision, 1u);
  EXPECT_EQ(snapshot(), before);
}

TEST_F(EngineTest, an_invalid_change_is_named_and_leaves_the_running_revision) {
  start();
  apply(test::sample());
  const auto* before = snapshot();
  Config wrong = test::sample();
  wrong.listeners["web"].port = 0;
  const ApplyResult invalid = apply(wrong);
  EXPECT_EQ(invalid.outcome, Outcome::kInvalid);
  EXPECT_THAT(invalid.errors, ElementsAre(FieldError{"/listeners/web/port", "must be between 1 and 65535"}));
  Config regex = test::sample();
  regex.rules["r-api"].paths[1].value = "/[";
  const ApplyResult uncompiled = apply(regex);
  EXPECT_EQ(uncompiled.outcome, Outcome::kInvalid);
  ASSERT_EQ(uncompiled.errors.size(), 1u);
  EXPECT_EQ(uncompiled.errors[0].path, "/rules/r-api/paths/1/value");
  EXPECT_EQ(engine_->revision(), 1u);
  EXPECT_EQ(snapshot(), before);
  EXPECT_EQ(engine_->revisions(10).size(), 1u);
}

TEST_F(EngineTest, a_dry_run_judges_and_changes_nothing) {
  start();
  ApplyOptions dry;
  dry.dry_run = true;
  const auto* before = snapshot();
  EXPECT_EQ(engine_->apply(test::sample(), dry).outcome, Outcome::kDryRun);
  Config wrong = test::sample();
  wrong.rules["r-api"].paths[1].value = "/[";
  EXPECT_EQ(engine_->apply(wrong, dry).outcome, Outcome::kInvalid);
  EXPECT_EQ(engine_->revision(), 0u);
  EXPECT_EQ(snapshot(), before);
  EXPECT_EQ(engine_->revisions(10).size(), 0u);
}

TEST_F(EngineTest, a_change_made_for_another_revision_is_a_conflict) {
  start();
  apply(test::sample());
  ApplyOptions options;
  options.expected_revision = 0;
  const ApplyResult r = engine_->apply(Config(), options);
  EXPECT_EQ(r.outcome, Outcome::kConflict);
  EXPECT_EQ(r.revision, 1u);
  EXPECT_EQ(r.message, "the running revision is 1, not 0");
  bool asked = false;
  const auto change = [&](Config&) { return asked = true, std::vector<FieldError>(); };
  EXPECT_EQ(engine_->edit(change, options).outcome, Outcome::kConflict);
  EXPECT_FALSE(asked);
  options.expected_revision = 1;
  EXPECT_EQ(engine_->apply(Config(), options).outcome, Outcome::kApplied);
}

TEST_F(EngineTest, an_edit_changes_what_is_there_or_refuses) {
  start();
  apply(test::sample());
  const auto rename = [](Config& c) {
    c.load_balancers["edge"].name = "Renamed";
    return std::vector<FieldError>();
  };
  EXPECT_EQ(engine_->edit(rename, {}).outcome, Outcome::kApplied);
  EXPECT_EQ(engine_->current()->load_balancers.at("edge").name, "Renamed");
  const auto refuse = [](Config& c) {
    c.rules.clear();
    return std::vector<FieldError>{{"/id", "is taken"}};
  };
  const ApplyResult r = engine_->edit(refuse, {});
  EXPECT_EQ(r.outcome, Outcome::kInvalid);
  EXPECT_THAT(r.errors, ElementsAre(FieldError{"/id", "is taken"}));
  EXPECT_EQ(engine_->current()->rules.size(), 3u);
}

TEST_F(EngineTest, edits_from_many_threads_are_all_kept) {
  start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 5; ++i) {
        const std::string id = "g" + std::to_string(t) + "-" + std::to_string(i);
        const auto add = [&](Config& c) {
          c.server_groups[id].id = id;
          return std::vector<FieldError>();
        };
        EXPECT_EQ(engine_->edit(add, {}).outcome, Outcome::kApplied);
        engine_->name_of(BackendSlot{0});
        engine_->current();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(engine_->current()->server_groups.size(), 20u);
  EXPECT_EQ(engine_->revision(), 20u);
}

TEST_F(EngineTest, a_store_that_fails_leaves_everything_as_it_was) {
  start();
  apply(test::sample());
  const auto* before = snapshot();
  auto other = store::Database::open(database());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
  Config next = test::sample();
  next.server_groups["api"].members.push_back({"a3", "10.0.0.3", 8080, 100, false});
  const ApplyResult failed = apply(next);
  EXPECT_EQ(failed.outcome, Outcome::kStoreFailed);
  EXPECT_THAT(failed.message, HasSubstr("another program holds the database"));
  EXPECT_EQ(failed.revision, 1u);
  EXPECT_EQ(engine_->revision(), 1u);
  EXPECT_EQ(*engine_->current(), test::sample());
  EXPECT_EQ(snapshot(), before);
  EXPECT_FALSE(engine_->slot_of("api", "a3"));
  other->execute("ROLLBACK");
  EXPECT_EQ(apply(next).outcome, Outcome::kApplied);
  EXPECT_EQ(engine_->slot_of("api", "a3"), BackendSlot{3}) << "the refused change took no slot";
}

TEST_F(EngineTest, rolls_back_by_applying_an_old_revision) {
  start();
  apply(test::sample());
  apply(Config());
  EXPECT_TRUE(snapshot()->listeners.empty());
  const auto old = engine_->revision_config(1);
  ASSERT_TRUE(old.ok());
  const ApplyResult r = apply(*old);
  EXPECT_EQ(r.outcome, Outcome::kApplied);
  EXPECT_EQ(r.revision, 3u);
  EXPECT_EQ(*engine_->current(), test::sample());
  EXPECT_FALSE(engine_->revision_config(99).ok());
}

TEST_F(EngineTest, what_was_read_can_be_edited_and_sent_back_without_its_keys) {
  start();
  apply(test::sample());
  const auto shown = config::to_json(*engine_->current(), config::Secrets::kHide);
  auto sent = config::config_from_json(shown);
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value.certificates.at("shop").private_key, "");
  EXPECT_EQ(apply(sent.value).outcome, Outcome::kUnchanged);
  sent.value.load_balancers["edge"].name = "Edited";
  EXPECT_EQ(apply(sent.value).outcome, Outcome::kApplied);
  EXPECT_EQ(engine_->current()->certificates.at("shop").private_key,
            test::sample().certificates.at("shop").private_key);
}

TEST_F(EngineTest, a_certificate_keeps_its_key_only_for_the_same_public_key) {
  start();
  apply(test::sample());
  const config::Certificate stored = test::sample().certificates.at("shop");
  Config renewed = test::sample();
  renewed.certificates["shop"] = {
      "shop", test::renew({stored.certificate, stored.private_key}, "shop.example").certificate, ""};
  EXPECT_EQ(apply(renewed).outcome, Outcome::kApplied);
  Config other = test::sample();
  other.certificates["shop"] = {"shop", test::make_pem("shop.example").certificate, ""};
  const ApplyResult r = apply(other);
  EXPECT_EQ(r.outcome, Outcome::kInvalid);
  ASSERT_EQ(r.errors.size(), 1u);
  EXPECT_EQ(r.errors[0].path, "/certificates/shop/private_key");
}

TEST_F(EngineTest, a_load_balancer_gets_an_address_and_keeps_it) {
  start();
  Config c = test::sample();
  c.load_balancers["auto"] = {"auto", "", "internet", {}};
  EXPECT_EQ(apply(c).outcome, Outcome::kApplied);
  EXPECT_THAT(engine_->current()->load_balancers.at("auto").addresses, ElementsAre("198.51.100.8"));
  EXPECT_EQ(apply(c).outcome, Outcome::kUnchanged) << "the same document again changes nothing";
  c.load_balancers["aaa"] = {"aaa", "", "internet", {}};
  EXPECT_EQ(apply(c).outcome, Outcome::kApplied);
  EXPECT_THAT(engine_->current()->load_balancers.at("auto").addresses, ElementsAre("198.51.100.8"));
}

TEST_F(EngineTest, names_slots_and_finds_them) {
  start();
  apply(test::sample());
  const auto slot = engine_->slot_of("api", "a2");
  ASSERT_TRUE(slot);
  EXPECT_EQ(engine_->name_of(*slot), "api/a2");
  EXPECT_FALSE(engine_->slot_of("api", "gone"));
  EXPECT_FALSE(engine_->slot_of("gone", "a2"));
  EXPECT_EQ(engine_->name_of(BackendSlot{60000}), "");
  apply(Config());
  EXPECT_EQ(engine_->name_of(*slot), "");
}

TEST_F(EngineTest, a_slot_starts_without_its_last_owners_health_and_counts) {
  start();
  apply(test::sample());
  const BackendSlot next{3};
  shared_.backends.set_health(next, l7::BackendTable::Health::kDown);
  shared_.backends.at(next, WorkerId{1}).requests.add(5);
  Config c = test::sample();
  c.server_groups["api"].members.push_back({"a3", "10.0.0.3", 8080, 100, false});
  apply(c);
  ASSERT_EQ(engine_->slot_of("api", "a3"), next);
  EXPECT_EQ(shared_.backends.health(next), l7::BackendTable::Health::kUnknown);
  EXPECT_EQ(shared_.backends.at(next, WorkerId{1}).requests.get(), 0u);
}

TEST_F(EngineTest, a_meter_is_given_away_when_its_last_connection_has_closed) {
  start();
  Config c = test::sample();
  apply(c);
  const auto lb = engine_->meter_of_load_balancer("edge"), web = engine_->meter_of_listener("web");
  ASSERT_TRUE(lb && web);
  EXPECT_NE(*lb, *web);
  EXPECT_FALSE(engine_->meter_of_load_balancer("web") || engine_->meter_of_listener("edge"));
  Counter& open = shared_.meters.at(*web, WorkerId{1}).active;
  open.add();
  c.listeners.erase("web");
  std::erase_if(c.rules, [](const auto& r) { return r.second.listener == "web"; });
  apply(c);
  EXPECT_FALSE(engine_->meter_of_listener("web"));

  // One listener after the other, through more slots than there are in quarantine.
  const auto next = [&](int i) {
    config::Listener fresh;
    fresh.id = "web";
    fresh.load_balancer = "edge";
    fresh.port = 8000 + static_cast<std::uint32_t>(i);
    c.listeners["web"] = fresh;
    apply(c);
    const auto slot = engine_->meter_of_listener("web");
    c.listeners.erase("web");
    apply(c);
    return *slot;
  };
  for (int i = 0; i < 100; ++i) EXPECT_NE(next(i), *web) << "still in use";
  open.sub();
  shared_.meters.at(*web, WorkerId{1}).requests.add(3);
  bool again = false;
  for (int i = 0; i < 100 && !again; ++i) again = next(i) == *web;
  EXPECT_TRUE(again);
  EXPECT_EQ(shared_.meters.at(*web, WorkerId{1}).requests.get(), 0u) << "of its last owner";
}

TEST_F(EngineTest, a_rule_change_resets_no_backend) {
  start();
  apply(test::sample());
  const BackendSlot slot = *engine_->slot_of("api", "a1");
  shared_.backends.set_health(slot, l7::BackendTable::Health::kUp);
  shared_.backends.at(slot, WorkerId{0}).requests.add(5);
  Config c = test::sample();
  c.rules["r-api"].priority = 1;
  c.server_groups["api"].members[0].weight = 7;
  apply(c);
  EXPECT_EQ(engine_->slot_of("api", "a1"), slot);
  EXPECT_EQ(shared_.backends.health(slot), l7::BackendTable::Health::kUp);
  EXPECT_EQ(shared_.backends.at(slot, WorkerId{0}).requests.get(), 5u);
}

TEST_F(EngineTest, frees_the_old_snapshot_only_after_every_worker_was_quiescent) {
  start();
  apply(test::sample());
  const WorkerId worker{0};
  rcu_.online(worker);
  const l7::Snapshot* seen = snapshot();
  std::atomic<bool> done = false;
  std::thread change([&] {
    apply(Config());
    done = true;
  });
  while (snapshot() == seen) usleep(1000);
  EXPECT_EQ(engine_->revision(), 2u) << "readers do not wait for the grace period";
  EXPECT_EQ(seen->listeners.size(), 2u) << "still whole (AddressSanitizer watches)";
  usleep(20000);
  EXPECT_FALSE(done);
  while (!done) {  // what was reported before the grace period began does not count
    rcu_.quiescent(worker);
    usleep(1000);
  }
  change.join();
  EXPECT_TRUE(done);
  rcu_.offline(worker);
}

TEST_F(EngineTest, a_second_instance_is_refused) {
  l7::proxy::Shared other(kWorkers, 16);
  const auto second = Engine::open({folder_.path(), kWorkers}, other);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr("in use by another instance"));
}

TEST_F(EngineTest, a_stored_revision_that_no_longer_compiles_is_named_at_start) {
  apply(test::sample());
  engine_.reset();
  auto db = store::Database::open(database());
  ASSERT_TRUE(
      db->execute("UPDATE objects SET body = replace(body, '/v[0-9]+', '/v[0-9') WHERE id = 'r-api'"));
  open();
  const Status started = engine_->start(rcu_);
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().message, HasSubstr("revision 1 cannot be served: /rules/r-api/paths/1/value"));
}

TEST_F(EngineTest, after_stop_changes_are_stored_but_not_published) {
  start();
  apply(test::sample());
  const auto* before = snapshot();
  engine_->stop();
  EXPECT_EQ(apply(Config()).outcome, Outcome::kApplied);
  EXPECT_EQ(snapshot(), before);
  engine_.reset();
  EXPECT_EQ(snapshot(), nullptr);
}

TEST_F(EngineTest, the_audit_log_holds_what_was_refused_too) {
  start();
  apply(test::sample());
  Config wrong = test::sample();
  wrong.listeners["web"].port = 0;
  engine_->apply(wrong, {false, {}, "mallory", "PUT /api/v1/config"});
  engine_->apply(wrong, {false, 77, "mallory", "PUT /api/v1/config"});
  engine_->apply(wrong, {true, {}, "mallory", "dry"});
  const auto audit = engine_->audit(10);
  ASSERT_EQ(audit.size(), 3u);
  EXPECT_EQ(audit[0].outcome, "conflict");
  EXPECT_EQ(audit[1].outcome, "invalid");
  EXPECT_EQ(audit[1].author, "mallory");
  EXPECT_EQ(audit[2].outcome, "applied");
}

class ExplainTest : public EngineTest {
 protected:
  ExplainTest() {
    start();
    Config c = test::sample();
    c.listeners["secure"].default_action.reset();
    apply(c);
  }
  Engine::Explanation explain(const char* vip, std::uint16_t port, const char* host, const char* path,
                              std::vector<std::pair<std::string, std::string>> headers = {}) {
    return engine_->explain(
        {{*IpAddr::parse(vip), port}, "GET", host, path, "", std::move(headers), *IpAddr::parse("10.1.2.3")});
  }
};

TEST_F(ExplainTest, names_the_rule_its_groups_and_why) {
  const auto e = explain("192.0.2.1", 80, "www.SHOP.example", "/api/x", {{"x-beta", "yes"}});
  EXPECT_EQ(e.load_balancer, "edge");
  EXPECT_EQ(e.listener, "web");
  EXPECT_EQ(e.rule, "r-api");
  EXPECT_EQ(e.decision, "forward");
  EXPECT_THAT(e.candidates, ElementsAre("api (weight 90)", "shop (weight 10)"));
  EXPECT_THAT(e.reason, HasSubstr("*.shop.example"));
}

TEST_F(ExplainTest, judges_the_path_in_the_normal_form_that_the_proxy_routes_by) {
  const auto plain = explain("192.0.2.1", 80, "www.shop.example", "/api/x", {{"x-beta", "yes"}});
  const auto dressed = explain("192.0.2.1", 80, "www.shop.example", "/y/../%61pi/x", {{"x-beta", "yes"}});
  EXPECT_EQ(dressed.rule, plain.rule);
  EXPECT_EQ(explain("192.0.2.1", 80, "www.shop.example", "/%zz").decision, "bad_request");
}

TEST_F(ExplainTest, knows_that_passed_tls_has_no_path_and_no_404) {
  Config c = test::sample();
  config::Listener& pass = c.listeners["pass"];
  pass.id = "pass";
  pass.load_balancer = "edge";
  pass.port = 8443;
  pass.protocol = "tls_passthrough";
  ASSERT_EQ(apply(c).outcome, Outcome::kApplied);
  const auto e = explain("192.0.2.1", 8443, "any.example", "/%zz");
  EXPECT_EQ(e.decision, "no_route");
  EXPECT_THAT(e.reason, HasSubstr("unrecognized_name"));
}

TEST_F(ExplainTest, tells_redirect_default_and_nothing_apart) {
  EXPECT_EQ(explain("192.0.2.1", 80, "any", "/old/1").decision, "redirect");
  const auto fallback = explain("192.0.2.1", 80, "shop.example", "/api/x");
  EXPECT_EQ(fallback.decision, "fixed_response");
  EXPECT_EQ(fallback.rule, "");
  EXPECT_THAT(fallback.reason, HasSubstr("default action"));
  EXPECT_EQ(explain("192.0.2.1", 443, "any", "/other").decision, "no_route");
  EXPECT_EQ(explain("192.0.2.1", 81, "any", "/").decision, "no_listener");
  const auto nowhere = explain("192.0.2.7", 80, "any", "/");
  EXPECT_EQ(nowhere.decision, "no_listener");
  EXPECT_EQ(nowhere.load_balancer, "");
}

}  // namespace
}  // namespace sluice::mgmt
