// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "l7/tls/certificate_handles.h"
#include "tests/unit/mgmt_config/samples.h"
#include "tests/unit/mgmt_ocsp/authority.h"

namespace sluice::mgmt::ocsp {
namespace {

using test::Authority;
using test::Issued;
using test::ResponseSpec;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kNow = 1'700'000'000, kLife = 1000;
constexpr const char *kUrl = "http://ocsp.test/", *kAia = "OCSP;URI:http://ocsp.test/";

/// Answers what the test says, and writes down where it was asked.
class FakeFetcher final : public Fetcher {
 public:
  Answer post(const std::string& url, const std::string& request) override {
    EXPECT_FALSE(request.empty());
    asked.push_back(url);
    return answer(url);
  }
  static Answer down() { return {{}, Problem{Failure::kConnect, "connection refused"}, true}; }
  std::function<Answer(const std::string& url)> answer = [](const std::string&) { return down(); };
  std::vector<std::string> asked;
};

class OcspKeeper : public testing::Test {
 protected:
  OcspKeeper() { open(); }

  void open(Keeper::Options options = {}) {
    keeper_.reset();
    engine_.reset();
    engine_ = std::move(Engine::open({folder_.path(), 1}, shared_)).value();
    options.folder = files();
    options.random = [] { return 0.0; };
    keeper_ = std::make_unique<Keeper>(options, *engine_, fetcher_, [this](const Notice& n) {
      if (!n.event.empty()) events_.push_back(n.event + " " + n.certificate);
    });
  }
  void start() { ASSERT_TRUE(engine_->start(rcu_).ok()); }
  std::string files() const { return folder_.path() + "/ocsp"; }
  std::size_t number_of_files() const {
    if (!std::filesystem::exists(files())) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(files()), {}));
  }

  /// Listeners present these, by id.
  void present(const std::map<std::string, const Issued*>& all, const Authority* chain) {
    config::Config c = mgmt::test::sample();
    c.certificates.clear();
    c.listeners["secure"].certificates.clear();
    for (const auto& [id, issued] : all) {
      c.certificates[id] = {id, issued->certificate + (chain != nullptr ? chain->certificate() : ""), issued->key};
      c.listeners["secure"].certificates.emplace_back(id);
    }
    const auto applied = engine_->apply(c, {});
    ASSERT_EQ(applied.outcome, ApplyResult::Outcome::kApplied) << (applied.errors.empty() ? "" : applied.errors[0].message);
  }
  void present_shop() { present({{"shop", &leaf_}}, &ca_); }

  std::string response(std::int64_t this_update, int status = V_OCSP_CERTSTATUS_GOOD) const {
    return ca_.respond(leaf_, {.status = status, .this_update = this_update, .next_update = this_update + kLife});
  }
  void answer_with(std::string der) {
    fetcher_.answer = [der = std::move(der)](const std::string&) { return Answer{der, std::nullopt, false}; };
  }
  /// What workers would hand out at that time; empty: nothing.
  std::string stapled(std::int64_t now, const std::string& id = "shop") const {
    const l7::Snapshot* snapshot = shared_.snapshot.read();
    if (snapshot == nullptr || snapshot->staples == nullptr) return {};
    for (const RunningCertificate& c : engine_->certificates()) {
      if (c.id != id) continue;
      const auto* staple = snapshot->staples->find(c.certificate->handles().leaf.get(), now);
      if (staple != nullptr) return staple->response;
    }
    return {};
  }
  std::vector<std::string> take_events() { return std::exchange(events_, {}); }
  OcspState state(const std::string& id = "shop") const { return keeper_->status(id)->state; }

  const Authority ca_{"Test CA"};
  const Issued leaf_ = ca_.issue({.aia = kAia});
  mgmt::test::TempFolder folder_;
  l7::proxy::Shared shared_{1, 64};
  Rcu rcu_{1};
  FakeFetcher fetcher_;
  std::vector<std::string> events_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Keeper> keeper_;
};

TEST_F(OcspKeeper, asks_the_responder_of_the_certificate_and_staples_its_answer_until_half_of_its_life) {
  start();
  present_shop();
  const std::string first = response(kNow);
  answer_with(first);
  EXPECT_TRUE(keeper_->step(kNow));
  EXPECT_FALSE(keeper_->step(kNow));
  EXPECT_THAT(fetcher_.asked, ElementsAre(kUrl));
  EXPECT_EQ(stapled(kNow), first);
  const auto status = *keeper_->status("shop");
  EXPECT_EQ(status.state, OcspState::kStapled);
  EXPECT_EQ(status.responder, kUrl);
  EXPECT_EQ(status.this_update, kNow);
  EXPECT_EQ(status.next_update, kNow + kLife);
  EXPECT_EQ(status.next_request, kNow + kLife / 2);

  EXPECT_FALSE(keeper_->step(kNow + kLife / 2 - 1));
  const std::string second = response(kNow + kLife / 2);
  answer_with(second);
  EXPECT_TRUE(keeper_->step(kNow + kLife / 2));
  keeper_->step(kNow + kLife / 2);
  EXPECT_EQ(stapled(kNow + kLife / 2), second);
  EXPECT_THAT(take_events(), IsEmpty());
  EXPECT_EQ(keeper_->totals().requests, 2u);
}

TEST_F(OcspKeeper, serves_the_old_answer_to_its_end_while_the_responder_is_down) {
  start();
  present_shop();
  const std::string first = response(kNow);
  answer_with(first);
  keeper_->step(kNow);
  fetcher_.answer = [](const std::string&) { return FakeFetcher::down(); };
  std::vector<std::int64_t> asked_at;
  for (std::int64_t t = kNow + 1; t < kNow + kLife; ++t) {
    const std::size_t before = fetcher_.asked.size();
    while (keeper_->step(t)) {}
    if (fetcher_.asked.size() > before) asked_at.push_back(t - kNow);
    ASSERT_EQ(stapled(t), first) << t - kNow;
  }
  EXPECT_THAT(asked_at, ElementsAre(500, 510, 530, 570, 650, 810));
  EXPECT_THAT(take_events(), ElementsAre("ocsp_failing shop"));
  EXPECT_EQ(keeper_->status("shop")->failures, 6u);
  EXPECT_EQ(keeper_->status("shop")->reason, "connect");
  EXPECT_EQ(keeper_->status("shop")->error, "connection refused");

  EXPECT_EQ(stapled(kNow + kLife), "") << "workers look at the clock themselves";
  keeper_->step(kNow + kLife);
  EXPECT_EQ(state(), OcspState::kMissing);
  EXPECT_EQ(shared_.snapshot.read()->staples->size(), 0u);
  EXPECT_THAT(take_events(), ElementsAre("ocsp_expired shop"));

  answer_with(response(kNow + 2 * kLife));
  EXPECT_TRUE(keeper_->step(kNow + 2 * kLife));
  EXPECT_THAT(take_events(), ElementsAre("ocsp_recovered shop"));
  EXPECT_NE(stapled(kNow + 2 * kLife), "");
  EXPECT_EQ(keeper_->status("shop")->failures, 0u);
  EXPECT_EQ(keeper_->status("shop")->error, "");
}

TEST_F(OcspKeeper, staples_at_once_after_a_restart_and_keeps_no_file_of_what_is_gone) {
  start();
  present_shop();
  const std::string first = response(kNow);
  answer_with(first);
  keeper_->step(kNow);
  ASSERT_EQ(number_of_files(), 1u);
  ASSERT_EQ(fetcher_.asked.size(), 1u);

  open();
  ASSERT_TRUE(engine_->load().ok());
  keeper_->restore(kNow + 100);
  start();
  EXPECT_EQ(stapled(kNow + 100), first) << "with the first snapshot";
  EXPECT_FALSE(keeper_->step(kNow + 101)) << "nobody needs to be asked yet";
  EXPECT_TRUE(keeper_->step(kNow + 500));
  EXPECT_THAT(take_events(), IsEmpty());

  const Issued renewed = ca_.issue({.serial = 8, .aia = kAia});
  present({{"shop", &renewed}}, &ca_);
  fetcher_.answer = [](const std::string&) { return FakeFetcher::down(); };
  keeper_->step(kNow + 501);
  EXPECT_EQ(number_of_files(), 0u);
  EXPECT_EQ(stapled(kNow + 501), "") << "what was said of another";
}

TEST_F(OcspKeeper, believes_no_file) {
  start();
  present_shop();
  answer_with(response(kNow));
  keeper_->step(kNow);
  const auto file = std::filesystem::directory_iterator(files())->path();
  const Authority stranger("Test CA");
  const std::string forged = stranger.respond(leaf_, {.this_update = kNow, .next_update = kNow + kLife});
  for (const std::string& content : {std::string("nonsense"), forged}) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    open();
    ASSERT_TRUE(engine_->load().ok());
    keeper_->restore(kNow + 100);
    start();
    EXPECT_EQ(state(), OcspState::kMissing);
    EXPECT_EQ(stapled(kNow + 100), "");
  }
}

TEST_F(OcspKeeper, tells_of_a_revocation_once_and_staples_it) {
  start();
  present_shop();
  const std::string revoked = response(kNow, V_OCSP_CERTSTATUS_REVOKED);
  answer_with(revoked);
  keeper_->step(kNow);
  keeper_->step(kNow + 1);
  EXPECT_EQ(stapled(kNow + 1), revoked);
  EXPECT_TRUE(keeper_->status("shop")->revoked);
  answer_with(response(kNow + 500, V_OCSP_CERTSTATUS_REVOKED));
  keeper_->step(kNow + 500);
  EXPECT_THAT(take_events(), ElementsAre("certificate_revoked shop"));
}

TEST_F(OcspKeeper, takes_no_older_answer_in_place_of_a_newer_one) {
  start();
  present_shop();
  const std::string revoked = response(kNow, V_OCSP_CERTSTATUS_REVOKED);
  answer_with(revoked);
  keeper_->step(kNow);
  answer_with(response(kNow - 1));
  EXPECT_TRUE(keeper_->step(kNow + 500));
  EXPECT_EQ(stapled(kNow + 500), revoked);
  EXPECT_EQ(keeper_->status("shop")->reason, "older");
  EXPECT_EQ(keeper_->totals().failures[static_cast<std::size_t>(Failure::kOlder)], 1u);
}

TEST_F(OcspKeeper, asks_nobody_where_there_is_no_use_or_no_way) {
  start();
  const Issued silent = ca_.issue({.serial = 8}), strict = ca_.issue({.serial = 9, .aia = kAia, .must_staple = true});
  present({{"shop", &leaf_}, {"silent", &silent}}, &ca_);
  engine_->edit([](config::Config& c) {
    c.certificates["shop"].ocsp_stapling = false;
    c.certificates["spare"] = c.certificates["shop"];
    c.certificates["spare"].id = "spare";
    return std::vector<config::FieldError>{};
  }, {});
  EXPECT_FALSE(keeper_->step(kNow));
  EXPECT_EQ(state("shop"), OcspState::kOff);
  EXPECT_EQ(state("silent"), OcspState::kNoResponder);
  EXPECT_EQ(state("spare"), OcspState::kUnused);
  present({{"alone", &leaf_}, {"strict", &strict}}, nullptr);
  EXPECT_FALSE(keeper_->step(kNow));
  EXPECT_EQ(state("alone"), OcspState::kNoIssuer);
  EXPECT_FALSE(keeper_->status("silent").has_value());
  EXPECT_THAT(fetcher_.asked, IsEmpty());
  EXPECT_THAT(take_events(), ElementsAre("must_staple_missing strict"));

  open({.stapling = false});
  start();
  EXPECT_FALSE(keeper_->step(kNow));
  EXPECT_EQ(state("alone"), OcspState::kOff);
}

TEST_F(OcspKeeper, warns_of_a_must_staple_certificate_without_a_staple_once_each_time) {
  start();
  const Issued strict = ca_.issue({.aia = kAia, .must_staple = true});
  present({{"shop", &strict}}, &ca_);
  keeper_->step(kNow);
  keeper_->step(kNow + 10);
  EXPECT_THAT(take_events(), ElementsAre("ocsp_failing shop", "must_staple_missing shop"));
  EXPECT_TRUE(keeper_->status("shop")->must_staple);
  answer_with(ca_.respond(strict, {.this_update = kNow + 30, .next_update = kNow + 30 + kLife}));
  keeper_->step(kNow + 30);
  fetcher_.answer = [](const std::string&) { return FakeFetcher::down(); };
  keeper_->step(kNow + 30 + kLife);
  EXPECT_THAT(take_events(),
              ElementsAre("ocsp_recovered shop", "ocsp_expired shop", "ocsp_failing shop", "must_staple_missing shop"));
}

TEST_F(OcspKeeper, leaves_a_responder_that_is_down_alone_and_asks_the_others) {
  start();
  const Issued b = ca_.issue({.serial = 8, .aia = kAia}), c = ca_.issue({.serial = 9, .aia = "OCSP;URI:http://other.test/"});
  present({{"a", &leaf_}, {"b", &b}, {"c", &c}}, &ca_);
  fetcher_.answer = [&](const std::string& url) {
    if (url == kUrl) return FakeFetcher::down();
    return Answer{ca_.respond(c, {.this_update = kNow, .next_update = kNow + kLife}), std::nullopt, false};
  };
  while (keeper_->step(kNow)) {}
  EXPECT_THAT(fetcher_.asked, ElementsAre(kUrl, "http://other.test/"));
  EXPECT_EQ(state("c"), OcspState::kStapled);
  EXPECT_EQ(keeper_->status("b")->next_request, kNow + 10) << "b waits with a";
  fetcher_.asked.clear();
  for (std::int64_t t = kNow + 1; t < kNow + 60; ++t) {
    while (keeper_->step(t)) {}
  }
  EXPECT_EQ(fetcher_.asked.size(), 2u) << "after 10 s and 20 s more, whoever asks";
}

TEST_F(OcspKeeper, a_certificate_that_the_responder_refuses_does_not_hold_up_others) {
  start();
  const Issued b = ca_.issue({.serial = 8, .aia = kAia});
  present({{"a", &leaf_}, {"b", &b}}, &ca_);
  fetcher_.answer = [&](const std::string&) {
    if (fetcher_.asked.size() == 1) return Answer{{}, Problem{Failure::kHttpStatus, "HTTP status 404"}, false};
    return Answer{ca_.respond(b, {.this_update = kNow, .next_update = kNow + kLife}), std::nullopt, false};
  };
  while (keeper_->step(kNow)) {}
  EXPECT_EQ(state("a"), OcspState::kMissing);
  EXPECT_EQ(state("b"), OcspState::kStapled);
}

TEST_F(OcspKeeper, drops_the_answer_about_a_certificate_that_was_replaced_meanwhile) {
  start();
  present_shop();
  const Issued renewed = ca_.issue({.serial = 8, .aia = kAia});
  fetcher_.answer = [&](const std::string&) {
    present({{"shop", &renewed}}, &ca_);
    return Answer{response(kNow), std::nullopt, false};
  };
  EXPECT_TRUE(keeper_->step(kNow));
  EXPECT_EQ(stapled(kNow), "");
  answer_with(ca_.respond(renewed, {.this_update = kNow, .next_update = kNow + kLife}));
  EXPECT_TRUE(keeper_->step(kNow)) << "and asks about the new one at once";
  keeper_->step(kNow);
  EXPECT_NE(stapled(kNow), "");
}

TEST_F(OcspKeeper, a_change_of_rules_asks_nobody_and_publishes_nothing) {
  start();
  present_shop();
  answer_with(response(kNow));
  keeper_->step(kNow);
  const auto before = shared_.snapshot.read()->staples;
  engine_->edit([](config::Config& c) {
    c.rules.clear();
    return std::vector<config::FieldError>{};
  }, {});
  const l7::Snapshot* published = shared_.snapshot.read();
  EXPECT_EQ(published->staples, before);
  EXPECT_FALSE(keeper_->step(kNow + 1));
  EXPECT_EQ(shared_.snapshot.read(), published);
  EXPECT_EQ(fetcher_.asked.size(), 1u);
}

TEST_F(OcspKeeper, asks_the_operators_responder_in_place_of_the_certificates) {
  open({.responder = "http://192.0.2.9/"});
  start();
  const Issued silent = ca_.issue({.serial = 8});
  present({{"shop", &leaf_}, {"silent", &silent}}, &ca_);
  while (keeper_->step(kNow)) {}
  EXPECT_THAT(fetcher_.asked, ElementsAre("http://192.0.2.9/"));
  EXPECT_EQ(keeper_->status("silent")->responder, "http://192.0.2.9/");
}

}  // namespace
}  // namespace sluice::mgmt::ocsp
