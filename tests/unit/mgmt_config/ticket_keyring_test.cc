// SPDX-License-Identifier: Apache-2.0
#include "mgmt/engine/ticket_keyring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "dataplane/base/hex.h"
#include "mgmt/engine/engine.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'700'000'000, kHour = 3600;

class TicketKeyringTest : public testing::Test {
 protected:
  TicketKeyring open(std::int64_t now = kNow) const { return std::move(TicketKeyring::open(file_, now)).value(); }
  static std::vector<std::string> names(const TicketKeyring& ring) {
    std::vector<std::string> out;
    for (const auto& k : ring.info().keys) out.push_back(k.name);
    EXPECT_EQ(ring.keys()->size(), out.size());
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ((*ring.keys())[i].name_text(), out[i]);
    return out;
  }
  static TicketSecret secret(char c) { return TicketSecret(std::string(32, c)); }
  static std::string name(char c) {
    const std::string s(32, c);
    return l7::tls::TicketKey::derive({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()})->name_text();
  }
  std::string text() const {
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  test::TempFolder folder_;
  const std::string file_ = folder_.path() + "/ticket-keys";
};

TEST_F(TicketKeyringTest, keys_of_its_own_come_each_hour_and_open_for_a_ticket_lifetime_after_their_last) {
  TicketKeyring ring = open();
  EXPECT_FALSE(ring.info().configured);
  const std::string first = names(ring).at(0);
  EXPECT_FALSE(*ring.rotate(kNow + kHour - 1));
  EXPECT_TRUE(*ring.rotate(kNow + kHour));
  const std::string second = names(ring).at(0);
  EXPECT_THAT(names(ring), ElementsAre(second, first));
  EXPECT_FALSE(*ring.rotate(kNow + kHour));
  EXPECT_TRUE(*ring.rotate(kNow + 2 * kHour));
  const std::string third = names(ring).at(0);
  EXPECT_THAT(names(ring), ElementsAre(third, second, first)) << "the first has sealed until an hour ago";
  EXPECT_TRUE(*ring.rotate(kNow + 3 * kHour));
  EXPECT_THAT(names(ring), ElementsAre(Not(third), third, second)) << "what the first has sealed is void by now";
  EXPECT_FALSE(std::filesystem::exists(file_)) << "they are nowhere but in memory";
  EXPECT_NE(names(open()).at(0), first);
}

TEST_F(TicketKeyringTest, a_clock_that_was_set_back_or_far_forward_does_not_stop_the_rotation) {
  TicketKeyring ring = open();
  EXPECT_TRUE(*ring.rotate(kNow - 1000 * kHour));
  EXPECT_EQ(ring.info().keys.front().since, kNow - 1000 * kHour);
  EXPECT_TRUE(*ring.rotate(kNow + 1000 * kHour));
  EXPECT_EQ(ring.info().keys.front().since, kNow + 1000 * kHour);
  EXPECT_EQ(names(ring).size(), 2u) << "the one that has sealed until now, and none before it";
}

TEST_F(TicketKeyringTest, keys_that_were_set_stay_until_others_are_set_and_over_a_restart) {
  TicketKeyring ring = open();
  ASSERT_TRUE(ring.set({secret('a')}, kNow).ok());
  EXPECT_TRUE(ring.info().configured);
  ASSERT_TRUE(ring.set({secret('b'), secret('a')}, kNow + 10).ok());
  EXPECT_THAT(names(ring), ElementsAre(name('b'), name('a')));
  EXPECT_FALSE(*ring.rotate(kNow + 1000 * kHour));

  const TicketKeyring again = open(kNow + 20);
  EXPECT_TRUE(again.info().configured);
  EXPECT_THAT(names(again), ElementsAre(name('b'), name('a')));
  EXPECT_EQ(again.info().keys[0].since, kNow + 10);
  EXPECT_EQ(again.info().keys[1].since, kNow) << "since it is there, not since it was put second";
  struct stat s{};
  ASSERT_EQ(::stat(file_.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
}

TEST_F(TicketKeyringTest, retired_secrets_are_kept_nowhere) {
  TicketKeyring ring = open();
  ASSERT_TRUE(ring.set({secret('a')}, kNow).ok());
  EXPECT_THAT(text(), HasSubstr(to_hex(secret('a').span())));
  ASSERT_TRUE(ring.set({secret('b')}, kNow).ok());
  EXPECT_THAT(text(), Not(HasSubstr(to_hex(secret('a').span()))));
  ASSERT_TRUE(ring.set({}, kNow).ok());
  EXPECT_FALSE(ring.info().configured);
  EXPECT_FALSE(std::filesystem::exists(file_));
  const auto own = names(ring);
  ASSERT_TRUE(ring.set({}, kNow + 5).ok());
  EXPECT_EQ(names(ring), own) << "nothing to change";
}

TEST_F(TicketKeyringTest, what_cannot_be_kept_is_not_used) {
  TicketKeyring ring = open();
  const auto before = names(ring);
  EXPECT_FALSE(ring.set({TicketSecret("short")}, kNow).ok());
  EXPECT_EQ(names(ring), before);
  std::filesystem::create_directory(file_ + ".new");
  const Status s = ring.set({secret('a')}, kNow);
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().message, HasSubstr("ticket-keys.new"));
  EXPECT_EQ(names(ring), before);
}

TEST_F(TicketKeyringTest, a_damaged_file_is_named) {
  const std::string good = "1700000000 " + to_hex(secret('a').span()) + "\n";
  for (const std::string& bad : {std::string(), std::string("x"), good + "1700000000 6", good + "1700000000 6161\n", good + "zz", good + "1700000000"}) {
    std::ofstream(file_) << bad;
    const auto opened = TicketKeyring::open(file_, kNow);
    ASSERT_FALSE(opened.ok()) << bad;
    EXPECT_THAT(opened.error().message, HasSubstr(file_));
  }
  std::ofstream(file_) << good;
  EXPECT_THAT(names(open()), ElementsAre(name('a')));
}

TEST_F(TicketKeyringTest, workers_see_a_changed_key_with_the_next_snapshot_of_the_same_revision) {
  l7::proxy::Shared shared(1, 64);
  Rcu rcu(1);
  auto engine = std::move(Engine::open({folder_.path(), 1}, shared)).value();
  ASSERT_TRUE(engine->start(rcu).ok());
  const auto published = [&] { return shared.snapshot.read()->ticket_keys->front().name_text(); };
  const std::string own = engine->ticket_keys().keys.at(0).name;
  EXPECT_EQ(published(), own);
  const std::uint64_t revision = shared.snapshot.read()->revision;
  ASSERT_TRUE(engine->set_ticket_keys({secret('a')}, {}).ok());
  EXPECT_EQ(published(), name('a'));
  EXPECT_EQ(shared.snapshot.read()->revision, revision);
  EXPECT_EQ(engine->audit(1).at(0).outcome, "applied");
  ASSERT_EQ(engine->apply(test::sample(), {}).outcome, ApplyResult::Outcome::kApplied);
  EXPECT_EQ(published(), name('a')) << "a change of the configuration keeps them";
  ASSERT_TRUE(engine->set_ticket_keys({}, {}).ok());
  EXPECT_FALSE(engine->ticket_keys().configured);
  const std::string fresh = published();
  EXPECT_NE(fresh, own);
  ASSERT_TRUE(engine->rotate_ticket_keys(engine->ticket_keys().keys.at(0).since + kHour).ok());
  EXPECT_NE(published(), fresh);
  EXPECT_EQ(shared.snapshot.read()->ticket_keys->size(), 2u);
}

}  // namespace
}  // namespace sluice::mgmt
