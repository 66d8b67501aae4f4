// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/record_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "mgmt/daemon/host.h"
#include "mgmt/daemon/live_appliance.h"
#include "mgmt/rest/auth.h"
#include "mgmt/rest/metric_text.h"
#include "tests/unit/mgmt_config/samples.h"
#include "mgmt/store/file.h"

namespace sluice::mgmt::daemon {
namespace {

using testing::HasSubstr;

class Records : public testing::Test {
 protected:
  Records() {
    auto opened = Engine::open({folder_.path(), 2}, shared_);
    EXPECT_TRUE(opened.ok());
    engine_ = std::move(opened).value();
    EXPECT_TRUE(engine_->start(rcu_).ok());
    EXPECT_EQ(engine_->apply(test::sample(), {}).outcome, ApplyResult::Outcome::kApplied);
  }
  l7::AccessRecord record(const std::string& path) {
    l7::AccessRecord r;
    r.path.assign(path);
    r.status = 200;
    for (auto* t : {&r.listener, &r.rule, &r.group, &r.request_id}) t->assign("");
    r.method.assign("GET");
    r.host.assign("h");
    r.tls_version.assign("");
    r.user_agent.assign("");
    r.error.assign("");
    return r;
  }
  std::string first_group() const { return engine_->current()->server_groups.begin()->first; }
  std::string first_member() const {
    return engine_->current()->server_groups.begin()->second.members.front().id;
  }

  test::TempFolder folder_;
  l7::proxy::Shared shared_{2, 64};
  Rcu rcu_{2};
  rest::EventLog events_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(Records, of_all_workers_reach_the_file_before_stop_returns) {
  const std::string path = folder_.path() + "/access.log";
  RecordWriter writer(path, shared_, *engine_, events_);
  ASSERT_TRUE(writer.start().ok());
  for (int i = 0; i < 50; ++i) {
    for (const auto& ring : shared_.access_logs) ASSERT_TRUE(ring->push(record("/" + std::to_string(i))));
  }
  writer.stop();
  std::istringstream in(*store::read_file(path));
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_EQ(lines, 100);
  EXPECT_EQ(writer.lines_written(), 100u);
}

TEST_F(Records, a_full_disk_neither_stops_the_writer_nor_blocks_the_rings) {
  RecordWriter writer("/dev/full", shared_, *engine_, events_);
  ASSERT_TRUE(writer.start().ok());
  for (int i = 0; i < 60; ++i) shared_.access_logs[0]->push(record("/"));
  writer.stop();
  EXPECT_TRUE(shared_.access_logs[0]->empty());
  EXPECT_EQ(writer.lines_lost(), 60u);
  EXPECT_EQ(events_.after(0, 10).at(0).type, "access_log_failing") << "told once, as an event";
}

TEST_F(Records, without_an_access_log_the_rings_are_emptied_all_the_same) {
  RecordWriter writer("", shared_, *engine_, events_);
  ASSERT_TRUE(writer.start().ok());
  shared_.access_logs[1]->push(record("/"));
  writer.stop();
  EXPECT_TRUE(shared_.access_logs[1]->empty());
  EXPECT_EQ(writer.lines_lost(), 0u);
}

TEST_F(Records, health_changes_become_events_with_names) {
  RecordWriter writer("", shared_, *engine_, events_);
  ASSERT_TRUE(writer.start().ok());
  l7::HealthEvent e;
  e.backend_slot = engine_->slot_of(first_group(), first_member())->value;
  e.up = false;
  e.detail.assign("connection refused");
  shared_.health_events[1]->push(l7::HealthEvent(e));
  e.backend_slot = 60000;  // nobody's any more
  shared_.health_events[1]->push(l7::HealthEvent(e));
  writer.stop();
  const auto events = events_.after(0, 10);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, "member_down");
  EXPECT_EQ(events[0].subject, first_group() + "/" + first_member());
  EXPECT_EQ(events[0].message, "connection refused");
}

TEST_F(Records, a_path_that_cannot_be_opened_fails_the_start) {
  RecordWriter writer("/nonexistent/access.log", shared_, *engine_, events_);
  const Status s = writer.start();
  ASSERT_FALSE(s.ok());
  EXPECT_THAT(s.error().message, HasSubstr("/nonexistent/access.log"));
}

TEST_F(Records, the_appliances_metrics_name_backends_revision_and_expiry) {
  RecordWriter writer("", shared_, *engine_, events_);
  ocsp::HttpFetcher fetcher("", false);
  const ocsp::Keeper keeper({.folder = folder_.path() + "/ocsp"}, *engine_, fetcher, [](const ocsp::Notice&) {});
  const LiveAppliance appliance(shared_, *engine_, writer, keeper);
  const BackendSlot slot = *engine_->slot_of(first_group(), first_member());
  shared_.backends.at(slot, WorkerId{0}).requests.add(2);
  shared_.backends.at(slot, WorkerId{1}).requests.add(3);
  shared_.backends.set_health(slot, l7::BackendTable::Health::kDown);
  rest::MetricCollector m;
  appliance.visit(m);
  const std::string text = m.prometheus();
  const std::string labels = "{server_group=\"" + first_group() + "\",member=\"" + first_member() + "\"}";
  EXPECT_THAT(text, HasSubstr("\nsluice_backend_requests_total" + labels + " 5\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_backend_up" + labels + " 0\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_config_revision 1\n"));
  EXPECT_THAT(text, HasSubstr("\nsluice_certificate_expires_in_seconds{certificate=\""));
  EXPECT_THAT(text, HasSubstr("\nsluice_build_info{version=\""));
  EXPECT_THAT(text, HasSubstr("\nprocess_resident_memory_bytes "));
}

TEST(NotifyManager, sends_the_state_to_the_socket_of_the_environment_and_is_silent_without_one) {
  const test::TempFolder folder;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder.path() + "/notify";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int s = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_EQ(::bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  unsetenv("NOTIFY_SOCKET");
  notify_manager("READY=1");
  setenv("NOTIFY_SOCKET", path.c_str(), 1);
  notify_manager("STOPPING=1");
  unsetenv("NOTIFY_SOCKET");
  char text[32] = {};
  EXPECT_EQ(::recv(s, text, sizeof text, MSG_DONTWAIT), 10);
  EXPECT_STREQ(text, "STOPPING=1");
  ::close(s);
}

TEST(ManagementCores, are_those_that_no_worker_has_or_all_when_workers_have_them_all) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  for (const int c : {0, 1, 2}) CPU_SET(c, &allowed);
  const cpu_set_t rest = management_cores(allowed, {1, 2, 9});
  EXPECT_EQ(CPU_COUNT(&rest), 1);
  EXPECT_TRUE(CPU_ISSET(0, &rest));
  const cpu_set_t none_left = management_cores(allowed, {0, 1, 2});
  EXPECT_EQ(CPU_COUNT(&none_left), 3);
}

}  // namespace
}  // namespace sluice::mgmt::daemon
