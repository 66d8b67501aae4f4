// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgmt/daemon/expiry_watch.h"
#include "mgmt/daemon/housekeeper.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::daemon {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kDay = 86400, kNow = 1'700'000'000;

TEST(ExpiryWatch, each_step_is_told_once_and_the_end_as_such) {
  ExpiryWatch watch;
  const std::vector<CertificateExpiry> one = {{"shop", kNow + 40 * kDay}};
  std::vector<std::pair<std::int64_t, std::string>> told;  // day, message
  for (std::int64_t hour = 0; hour < 50 * 24; ++hour) {
    for (const auto& n : watch.look(one, kNow + hour * 3600)) {
      EXPECT_EQ(n.certificate, "shop");
      EXPECT_EQ(n.expired, hour == 40 * 24);
      told.emplace_back(hour / 24, n.message);
    }
  }
  ASSERT_THAT(told, SizeIs(5));
  const std::pair<std::int64_t, const char*> expected[] = {
      {10, "expires in 30 days"}, {26, "expires in 14 days"}, {33, "expires in 7 days"}, {39, "expires in 24 hours"},
      {40, "expired at 2023-12-24T22:13:20Z"}};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(told[i].first, expected[i].first);
    EXPECT_THAT(told[i].second, HasSubstr(expected[i].second));
  }
}

TEST(ExpiryWatch, lists_of_revoked_certificates_have_steps_of_their_own) {
  ExpiryWatch watch = ExpiryWatch::of_revocations();
  const std::vector<CertificateExpiry> one = {{"staff", kNow + 30 * kDay}};
  std::vector<std::int64_t> left;  // minutes
  for (std::int64_t t = kNow; t <= kNow + 31 * kDay; t += 60) {
    for (const auto& n : watch.look(one, t)) {
      EXPECT_EQ(n.expired, t == kNow + 30 * kDay);
      left.push_back((kNow + 30 * kDay - t) / 60);
    }
  }
  EXPECT_THAT(left, testing::ElementsAre(24 * 60, 60, 0));
}

TEST(ExpiryWatch, lists_made_for_a_day_are_told_of_only_when_their_renewal_is_late) {
  ExpiryWatch watch = ExpiryWatch::of_revocations();
  const auto look = [&](std::int64_t end, std::int64_t now) { return watch.look(std::vector<CertificateExpiry>{{"staff", end}}, now); };
  EXPECT_THAT(look(kNow + kDay, kNow), SizeIs(1)) << "first seen";
  for (int i = 1; i < 10; ++i) EXPECT_THAT(look(kNow + i * 3600 + kDay, kNow + i * 3600), IsEmpty());
  const std::int64_t end = kNow + 9 * 3600 + kDay;
  EXPECT_THAT(look(end, end - 3600), SizeIs(1));
  EXPECT_THAT(look(end, end), SizeIs(1));
  EXPECT_THAT(look(end + kDay, end), IsEmpty());
}

TEST(ExpiryWatch, what_is_first_seen_late_is_told_of_once_at_once) {
  ExpiryWatch watch;
  const std::vector<CertificateExpiry> some = {{"far", kNow + 31 * kDay}, {"gone", kNow - 1}, {"near", kNow + 5 * kDay}};
  const auto notices = watch.look(some, kNow);
  ASSERT_THAT(notices, SizeIs(2));
  EXPECT_EQ(notices[0].certificate, "gone");
  EXPECT_TRUE(notices[0].expired);
  EXPECT_EQ(notices[1].certificate, "near");
  EXPECT_THAT(notices[1].message, HasSubstr("5 days"));
  EXPECT_THAT(watch.look(some, kNow + 60), IsEmpty());
}

TEST(ExpiryWatch, a_renewed_certificate_begins_anew_and_a_clock_set_back_repeats_nothing) {
  ExpiryWatch watch;
  EXPECT_THAT(watch.look(std::vector<CertificateExpiry>{{"shop", kNow + kDay}}, kNow), SizeIs(1));
  EXPECT_THAT(watch.look(std::vector<CertificateExpiry>{{"shop", kNow + kDay}}, kNow - 20 * kDay), IsEmpty());
  EXPECT_THAT(watch.look(std::vector<CertificateExpiry>{{"shop", kNow + kDay}}, kNow), IsEmpty());
  EXPECT_THAT(watch.look(std::vector<CertificateExpiry>{{"shop", kNow + 90 * kDay}}, kNow), IsEmpty());
  EXPECT_THAT(watch.look(std::vector<CertificateExpiry>{{"shop", kNow + 90 * kDay}}, kNow + 80 * kDay), SizeIs(1));
  EXPECT_THAT(watch.look({}, kNow + 80 * kDay), IsEmpty());
  EXPECT_THAT(watch.look(std::vector<CertificateExpiry>{{"shop", kNow + 90 * kDay}}, kNow + 80 * kDay), SizeIs(1))
      << "it was gone, and is another's now";
}

class HousekeeperTest : public testing::Test {
 protected:
  HousekeeperTest() { EXPECT_TRUE(engine->start(rcu).ok()); }

  test::TempFolder folder;
  l7::proxy::Shared shared{1, 64};
  Rcu rcu{1};
  rest::EventLog events;
  std::unique_ptr<Engine> engine = std::move(Engine::open({folder.path(), 1}, shared)).value();
  Housekeeper keeper{*engine, events};
};

TEST_F(HousekeeperTest, certificates_near_their_end_become_events) {
  ASSERT_EQ(engine->apply(test::sample(), {}).outcome, ApplyResult::Outcome::kApplied);
  const auto expiries = engine->certificate_expiries();
  ASSERT_THAT(expiries, SizeIs(1));
  EXPECT_EQ(expiries[0].id, "shop");

  keeper.round(expiries[0].not_after - 100 * kDay);
  EXPECT_THAT(events.after(0, 10), IsEmpty());
  keeper.round(expiries[0].not_after - 3 * kDay);
  keeper.round(expiries[0].not_after - 3 * kDay + 120);
  keeper.round(expiries[0].not_after);
  const auto told = events.after(0, 10);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].type, "certificate_expiring");
  EXPECT_EQ(told[0].subject, "shop");
  EXPECT_THAT(told[0].message, HasSubstr("expires in 3 days"));
  EXPECT_EQ(told[1].type, "certificate_expired");
}

TEST(ExpiryWatch, the_last_hour_is_told_in_minutes) {
  ExpiryWatch watch;
  const auto notices = watch.look(std::vector<CertificateExpiry>{{"shop", kNow + 600}}, kNow);
  ASSERT_THAT(notices, SizeIs(1));
  EXPECT_THAT(notices[0].message, HasSubstr("expires in 10 minutes"));
}

TEST(EngineWatch, failures_are_told_when_they_begin_and_when_they_have_been_over_for_a_while) {
  EngineWatch watch;
  EXPECT_FALSE(watch.look({0, 0, 0, 2}, kNow));
  const auto failing = watch.look({3, 0, 1, 2}, kNow + 1);
  ASSERT_TRUE(failing);
  EXPECT_TRUE(failing->failing);
  EXPECT_EQ(failing->message,
            "3 operation(s) failed and were done in software; 1 of 2 worker(s) do without it and try it again every 10 s");
  EXPECT_FALSE(watch.look({9, 0, 1, 2}, kNow + 2)) << "told already";
  EXPECT_FALSE(watch.look({9, 0, 1, 2}, kNow + 30)) << "still suspended";
  EXPECT_FALSE(watch.look({9, 0, 0, 2}, kNow + 31));
  EXPECT_FALSE(watch.look({9, 0, 0, 2}, kNow + 39));
  const auto working = watch.look({9, 0, 0, 2}, kNow + 40);
  ASSERT_TRUE(working);
  EXPECT_FALSE(working->failing);
  const auto stalled = watch.look({9, 1, 0, 2}, kNow + 41);
  ASSERT_TRUE(stalled);
  EXPECT_EQ(stalled->message, "it had handshakes and finished none for a second");
}

TEST(EngineWatch, failures_of_providers_are_those_of_handshakes) {
  EngineWatch watch;
  const auto failing = watch.look({8, 0, 1, 2, false}, kNow);
  ASSERT_TRUE(failing);
  EXPECT_EQ(failing->message, "8 handshake(s) failed; 1 of 2 worker(s) do without it and try it again every 10 s");
}

TEST_F(HousekeeperTest, a_tls_engine_that_fails_becomes_an_event) {
  TlsEngineState state;
  keeper.watch_tls_engine("qatengine", [&] { return state; });
  keeper.round(kNow);
  EXPECT_THAT(events.after(0, 10), IsEmpty());
  state.failures = 1;
  keeper.round(kNow + 1);
  keeper.round(kNow + 11);
  const auto told = events.after(0, 10);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].type, "tls_engine_failing");
  EXPECT_EQ(told[0].subject, "qatengine");
  EXPECT_EQ(told[1].type, "tls_engine_working");
}

TEST_F(HousekeeperTest, ticket_keys_are_rotated_when_it_is_time) {
  const TicketKeyring::Key first = engine->ticket_keys().keys.at(0);
  keeper.round(first.since + TicketKeyring::kRotation - 1);
  EXPECT_EQ(engine->ticket_keys().keys.at(0).name, first.name);
  keeper.round(first.since + TicketKeyring::kRotation);
  EXPECT_NE(engine->ticket_keys().keys.at(0).name, first.name);
}

}  // namespace
}  // namespace sluice::mgmt::daemon
