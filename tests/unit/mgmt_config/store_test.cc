// SPDX-License-Identifier: Apache-2.0
#include "mgmt/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::store {
namespace {

using config::Config;
using testing::HasSubstr;

std::uint64_t age(const std::string& rule) { return 100 + rule.size(); }

Revision revision(std::uint64_t n) {
  return {n, 1700000000 + static_cast<std::int64_t>(n), "alice", "change " + std::to_string(n)};
}

mode_t mode_of(const std::string& path) {
  struct stat s {};
  return stat(path.c_str(), &s) == 0 ? s.st_mode & 0777 : 0;
}

class StoreTest : public testing::Test {
 protected:
  std::unique_ptr<Store> open() {
    auto opened = Store::open(folder());
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return opened.ok() ? std::move(opened).value() : nullptr;
  }
  std::string folder() const { return temp_.path() + "/data"; }
  std::string file() const { return folder() + "/sluice.db"; }
  test::TempFolder temp_;
};

TEST_F(StoreTest, a_new_folder_holds_nothing_and_is_its_owners_only) {
  const auto store = open();
  const auto last = store->load_last();
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->revision, 0u);
  EXPECT_EQ(last->config, Config());
  EXPECT_EQ(mode_of(folder()), 0700u);
  EXPECT_EQ(mode_of(file()), 0600u);
  EXPECT_EQ(mode_of(file() + "-wal"), 0600u);
}

TEST_F(StoreTest, closes_a_database_that_others_could_read) {
  open();
  std::filesystem::permissions(file(), std::filesystem::perms(0644));
  open();
  EXPECT_EQ(mode_of(file()), 0600u);
}

TEST_F(StoreTest, gives_back_each_revision_as_it_was_also_after_a_restart) {
  const Config first = test::sample();
  Config second = first;
  second.rules.erase("r-redirect");
  second.rules["r-api"].priority = 7;
  second.rules["a-new"] = first.rules.at("r-secure");
  second.rules["a-new"].id = "a-new";
  second.server_groups["api"].members.pop_back();
  Config third = second;
  third.rules["r-redirect"] = first.rules.at("r-redirect");
  {
    const auto store = open();
    EXPECT_FALSE(store->append(revision(1), {}, first, age));
    EXPECT_FALSE(store->append(revision(2), first, second, age));
    EXPECT_FALSE(store->append(revision(3), second, third, [](const auto&) { return 500u; }));
  }
  const auto store = open();
  const auto last = store->load_last();
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->revision, 3u);
  EXPECT_EQ(last->config, third);
  EXPECT_EQ(last->rule_ages.at("r-api"), 105u) << "a change keeps the age";
  EXPECT_EQ(last->rule_ages.at("r-redirect"), 500u) << "who comes back is new";
  EXPECT_EQ(store->load(1)->config, first);
  EXPECT_EQ(store->load(2)->config, second);
  EXPECT_FALSE(store->load(4).ok());
  EXPECT_FALSE(store->load(0).ok());
}

TEST_F(StoreTest, lists_revisions_and_audit_newest_first) {
  const auto store = open();
  Config now;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    Config next = now;
    next.load_balancers["lb"] = {"lb", "name " + std::to_string(n), "internet", {"192.0.2.1"}};
    ASSERT_FALSE(store->append(revision(n), now, next, age));
    now = next;
  }
  store->audit({5, "bob", "PUT /x", "invalid", 3});
  const auto revisions = store->revisions(2);
  ASSERT_EQ(revisions.size(), 2u);
  EXPECT_EQ(revisions[0].number, 3u);
  EXPECT_EQ(revisions[0].author, "alice");
  EXPECT_EQ(revisions[0].comment, "change 3");
  EXPECT_EQ(revisions[0].time, 1700000003);
  EXPECT_EQ(revisions[1].number, 2u);
  const auto audit = store->audit_log(10);
  ASSERT_EQ(audit.size(), 4u);
  EXPECT_EQ(audit[0].author, "bob");
  EXPECT_EQ(audit[0].outcome, "invalid");
  EXPECT_EQ(audit[1].outcome, "applied");
  EXPECT_EQ(audit[1].revision, 3u);
}

TEST_F(StoreTest, keeps_the_last_hundred_revisions_whole) {
  const auto store = open();
  Config now;
  now.load_balancers["still"] = {"still", "", "internet", {"192.0.2.9"}};
  ASSERT_FALSE(store->append(revision(1), {}, now, age));
  for (std::uint64_t n = 2; n <= 150; ++n) {
    Config next = now;
    next.load_balancers["lb"] = {"lb", std::to_string(n), "internet", {"192.0.2.1"}};
    ASSERT_FALSE(store->append(revision(n), now, next, age));
    now = next;
  }
  EXPECT_EQ(store->revisions(1000).size(), 100u);
  EXPECT_FALSE(store->load(50).ok());
  const auto oldest = store->load(51);
  ASSERT_TRUE(oldest.ok());
  EXPECT_EQ(oldest->config.load_balancers.at("lb").name, "51");
  EXPECT_TRUE(oldest->config.load_balancers.contains("still"));
  EXPECT_EQ(store->load_last()->config, now);
  EXPECT_EQ(store->database().pragma("SELECT count(*) FROM objects"), 101)
      << "rows of pruned revisions are gone";
}

TEST_F(StoreTest, refuses_a_second_instance_and_says_who_has_it) {
  const auto store = open();
  const auto second = Store::open(folder());
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr(folder()));
  EXPECT_THAT(second.error().message,
              HasSubstr("in use by another instance (process " + std::to_string(getpid())));
}

TEST_F(StoreTest, can_be_opened_again_when_the_first_instance_has_gone) {
  open();
  EXPECT_NE(open(), nullptr);
}

TEST_F(StoreTest, refuses_a_newer_schema) {
  { open()->database().execute("PRAGMA user_version = 2"); }
  const auto opened = Store::open(folder());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message,
              HasSubstr("written by a newer version (schema 2, this program knows 1)"));
}

TEST_F(StoreTest, refuses_what_is_not_a_database) {
  std::filesystem::create_directory(folder());
  std::ofstream(file()) << std::string(8192, 'x');
  const auto opened = Store::open(folder());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message, HasSubstr("damaged"));
  EXPECT_THAT(opened.error().message, HasSubstr(file()));
}

TEST_F(StoreTest, refuses_a_damaged_database) {
  {
    const auto store = open();
    Config c;
    for (int i = 0; i < 300; ++i) {
      const std::string id = "lb" + std::to_string(i);
      c.load_balancers[id] = {id, std::string(200, 'n'), "internet", {}};
    }
    ASSERT_FALSE(store->append(revision(1), {}, c, age));
    store->database().execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  std::fstream f(file(), std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(4 * 4096);
  f << std::string(3 * 4096, '\x5a');
  f.close();
  const auto opened = Store::open(folder());
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message, HasSubstr("damaged"));
}

TEST_F(StoreTest, says_when_the_folder_cannot_be_made) {
  const auto opened = Store::open("/proc/nothing/here");
  ASSERT_FALSE(opened.ok());
  EXPECT_THAT(opened.error().message, HasSubstr("data folder /proc/nothing/here"));
}

TEST_F(StoreTest, a_full_disk_is_told_and_changes_nothing) {
  const auto store = open();
  Config now;
  now.load_balancers["lb"] = {"lb", "", "internet", {"192.0.2.1"}};
  ASSERT_FALSE(store->append(revision(1), {}, now, age));
  store->database().execute("PRAGMA max_page_count = 20");
  Config big = now;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = "lb" + std::to_string(i);
    big.load_balancers[id] = {id, std::string(500, 'n'), "internet", {}};
  }
  const auto failure = store->append(revision(2), now, big, age);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, Failure::Kind::kFull);
  EXPECT_THAT(failure->message, HasSubstr("storing revision 2: no space left"));
  EXPECT_EQ(store->load_last()->revision, 1u);
  EXPECT_EQ(store->load_last()->config, now);
  store->database().execute("PRAGMA max_page_count = 1000000");
  EXPECT_FALSE(store->append(revision(2), now, big, age)) << "works again once there is room";
}

TEST_F(StoreTest, a_locked_database_is_told_and_changes_nothing) {
  const auto store = open();
  sqlite3_busy_timeout(store->database().raw(), 10);
  auto other = Database::open(file());
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
  const auto failure = store->append(revision(1), {}, test::sample(), age);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, Failure::Kind::kBusy);
  EXPECT_EQ(store->load_last()->revision, 0u);
  other->execute("ROLLBACK");
  EXPECT_FALSE(store->append(revision(1), {}, test::sample(), age));
}

TEST_F(StoreTest, a_read_only_database_is_told) {
  const auto store = open();
  store->database().execute("PRAGMA query_only = 1");
  const auto failure = store->append(revision(1), {}, test::sample(), age);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, Failure::Kind::kReadOnly);
}

}  // namespace
}  // namespace sluice::mgmt::store
