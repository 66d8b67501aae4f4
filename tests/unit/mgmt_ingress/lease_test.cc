// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/lease.h"

#include <gtest/gtest.h>

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/unit/mgmt_ingress/running_server.h"

namespace sluice::mgmt::ingress::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kNote = "sluice.dev/appliances";

/// One Lease, as an API server keeps it: who writes says which version was read.
class FakeLease {
 public:
  FakeLease() {
    const std::string path = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
    const auto write = [this](const httplib::Request& q, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      const json wanted = json::parse(q.body);
      r.status = lease_.is_null() || wanted["metadata"].value("resourceVersion", "") == version() ? 200 : 409;
      if (r.status == 200) put(wanted);
      r.set_content(lease_.dump(), "application/json");
    };
    server_.Get(path + "/it", [this](const httplib::Request&, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      r.status = lease_.is_null() ? 404 : 200;
      r.set_content(lease_.dump(), "application/json");
    });
    server_.Post(path, write);
    server_.Put(path + "/it", write);
    running_.emplace(server_);
  }
  Server server() const { return {.url = running_->url()}; }
  /// As somebody else writes it.
  void say(const std::string& holder, const std::string& note) {
    const std::lock_guard lock(mutex_);
    put({{"metadata", {{"annotations", {{kNote, note}}}}}, {"spec", {{"holderIdentity", holder}}}});
  }
  std::string note() {
    const std::lock_guard lock(mutex_);
    return lease_.value(json::json_pointer("/metadata/annotations/sluice.dev~1appliances"), "");
  }
  std::string holder() {
    const std::lock_guard lock(mutex_);
    return lease_.value(json::json_pointer("/spec/holderIdentity"), "");
  }
  int writes() {
    const std::lock_guard lock(mutex_);
    return writes_;
  }

 private:
  std::string version() const { return std::to_string(writes_); }
  void put(json lease) {
    ++writes_;
    lease_ = std::move(lease);
    lease_["metadata"]["resourceVersion"] = version();
  }

  httplib::Server server_;
  std::mutex mutex_;
  json lease_;
  int writes_ = 0;
  std::optional<RunningServer> running_;
};

/// One that renews so late that no test waits for it, but for those that say otherwise.
class LeaseTest : public testing::Test {
 protected:
  struct Candidate {
    Candidate(HttpLoop& loop, const Server& server, const std::string& identity, std::chrono::seconds renew = 300s)
        : lease(loop, server, {"ns", "it", identity, 15s, renew, 600s}, [](bool) {}, [this] { ++noted; }) {
      lease.start();
    }
    int noted = 0;
    LeaseElection lease;
  };
  template <class T>
  bool eventually(T condition) {
    const auto end = HttpLoop::Clock::now() + 20s;
    while (!condition() && HttpLoop::Clock::now() < end) loop.poll(20ms);
    return condition();
  }
  FakeLease fake;
  const Server server = fake.server();
  HttpLoop loop;
};

TEST_F(LeaseTest, a_note_is_written_at_once_and_only_when_it_is_another) {
  Candidate one(loop, server, "one");
  ASSERT_TRUE(eventually([&] { return one.lease.leader(); }));
  EXPECT_EQ(one.lease.note(), "");
  EXPECT_FALSE(one.lease.keep("first"));
  EXPECT_FALSE(one.lease.keep("second")) << "while the first is on its way";
  ASSERT_TRUE(eventually([&] { return one.noted == 1; }));
  EXPECT_EQ(fake.note(), "second");
  const int writes = fake.writes();
  EXPECT_TRUE(one.lease.keep("second"));
  for (int i = 0; i < 5; ++i) loop.poll(20ms);
  EXPECT_EQ(fake.writes(), writes);
}

TEST_F(LeaseTest, the_note_of_the_holder_before_is_taken_over_with_the_lease_and_outlives_renewals) {
  fake.say("", "of another");
  Candidate one(loop, server, "one", 0s);
  ASSERT_TRUE(eventually([&] { return one.lease.leader() && fake.writes() > 5; }));
  EXPECT_EQ(one.lease.note(), "of another");
  EXPECT_EQ(fake.note(), "of another");
  EXPECT_EQ(one.noted, 0);
  EXPECT_TRUE(one.lease.keep("of another"));
}

TEST_F(LeaseTest, who_follows_knows_the_note_and_changes_nothing) {
  fake.say("another", "its own");
  Candidate one(loop, server, "one", 0s);
  ASSERT_TRUE(eventually([&] { return one.lease.note() == "its own"; }));
  EXPECT_FALSE(one.lease.keep("mine"));
  fake.say("another", "its next");
  ASSERT_TRUE(eventually([&] { return one.lease.note() == "its next"; }));
  EXPECT_EQ(fake.writes(), 2);
}

TEST_F(LeaseTest, one_that_is_given_back_keeps_its_note) {
  Candidate one(loop, server, "one");
  ASSERT_TRUE(eventually([&] { return one.lease.leader(); }));
  one.lease.keep("for the next");
  bool done = false;
  one.lease.release([&] { done = true; });
  ASSERT_TRUE(eventually([&] { return done; }));
  EXPECT_EQ(fake.holder(), "");
  EXPECT_EQ(fake.note(), "for the next");
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
