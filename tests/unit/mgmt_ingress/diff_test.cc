// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/appliance/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::mgmt::ingress::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kMark = "sluice-ingress/k8s";

config::Member member(const std::string& address, bool drain = false) {
  return {.id = address + ":80", .address = address, .port = 80, .drain = drain};
}

config::ServerGroup group(const std::string& id, std::vector<config::Member> members,
                          const std::string& mark = kMark) {
  config::ServerGroup g;
  g.id = id;
  g.members = std::move(members);
  g.managed_by = mark;
  return g;
}

config::Rule rule(const std::string& id, const std::string& listener, const std::string& to,
                  const std::string& mark = kMark) {
  config::Rule r;
  r.id = id;
  r.listener = listener;
  r.action = config::ForwardAction{{{to, 100}}};
  r.managed_by = mark;
  return r;
}

config::Listener listener(const std::string& id, const std::string& lb, const std::string& mark = kMark) {
  config::Listener l;
  l.id = id;
  l.load_balancer = lb;
  l.managed_by = mark;
  return l;
}

class Diff : public testing::Test {
 protected:
  Diff() {
    there.load_balancers["lb"] = {.id = "lb", .addresses = {"192.0.2.1"}, .managed_by = kMark};
    there.listeners["l"] = listener("l", "lb");
    there.server_groups["g"] = group("g", {member("10.0.0.1"), member("10.0.0.2")});
    there.rules["r"] = rule("r", "l", "g");
    wanted.model = there;
    wanted.model.load_balancers["lb"].addresses.clear();
  }
  /// What one step sends; the appliance holds it afterwards.
  Change step(Lingering::Clock::duration later = {}) {
    now += later;
    Change c = diff(there, wanted, kMark, refused, lingering, now);
    apply(c, there);
    return c;
  }

  config::Config there;
  Translation wanted;
  Refused refused;
  Lingering lingering{10s};
  Lingering::Clock::time_point now{1h};
};

TEST_F(Diff, what_is_there_already_is_no_change_and_a_chosen_address_stays) { EXPECT_TRUE(step().empty()); }

TEST_F(Diff, a_member_that_is_gone_is_drained_then_removed_and_new_ones_come_with_the_drain) {
  wanted.model.server_groups["g"].members = {member("10.0.0.2"), member("10.0.0.3")};
  EXPECT_THAT(step().put.server_groups["g"].members,
              ElementsAre(member("10.0.0.1", true), member("10.0.0.2"), member("10.0.0.3")));
  EXPECT_EQ(lingering.next(now), now + 10s);
  EXPECT_TRUE(step(9s).empty()) << "it lingers";
  EXPECT_THAT(step(1s).put.server_groups["g"].members, ElementsAre(member("10.0.0.2"), member("10.0.0.3")));
  EXPECT_TRUE(step(1s).empty());
}

TEST_F(Diff, a_group_may_have_a_time_of_its_own_to_drain) {
  wanted.drain_s["g"] = 300;
  wanted.model.server_groups["g"].members = {member("10.0.0.2")};
  step();
  EXPECT_EQ(lingering.next(now), now + 300s);
  EXPECT_TRUE(step(299s).empty());
  EXPECT_THAT(step(1s).put.server_groups["g"].members, ElementsAre(member("10.0.0.2")));
  wanted.drain_s["g"] = 0;
  wanted.model.server_groups["g"].members = {member("10.0.0.3")};
  EXPECT_THAT(step().put.server_groups["g"].members, ElementsAre(member("10.0.0.3")));
}

TEST_F(Diff, an_access_list_comes_with_the_listener_that_goes_by_it_and_goes_with_it) {
  config::AccessControlList list{.id = "acl", .entries = {"192.0.2.0/24"}, .managed_by = kMark};
  wanted.model.access_control_lists["acl"] = list;
  wanted.model.listeners["l"].access_control = config::AccessControl{"allow", {"acl"}};
  const Change c = step();
  EXPECT_EQ(c.put.access_control_lists.at("acl"), list);
  EXPECT_EQ(c.to_json()["put"]["access_control_lists"][0]["id"], "acl");
  EXPECT_TRUE(step().empty());
  wanted.model.access_control_lists.clear();
  wanted.model.listeners["l"].access_control.reset();
  EXPECT_THAT(step().remove, ElementsAre(testing::Pair("access_control_lists", ElementsAre("acl"))));
}

TEST_F(Diff, a_member_that_comes_back_while_it_lingers_is_used_again) {
  wanted.model.server_groups["g"].members = {member("10.0.0.2")};
  step();
  wanted.model.server_groups["g"].members = {member("10.0.0.1"), member("10.0.0.2")};
  EXPECT_THAT(step(5s).put.server_groups["g"].members, ElementsAre(member("10.0.0.1"), member("10.0.0.2")));
  wanted.model.server_groups["g"].members = {member("10.0.0.2")};
  step(1s);
  EXPECT_TRUE(step(9s).empty()) << "its time began anew";
}

TEST_F(Diff, what_is_no_longer_wanted_goes_but_nothing_without_our_mark) {
  there.server_groups["users"] = group("users", {}, "");
  there.server_groups["another"] = group("another", {}, "sluice-ingress/other");
  wanted.model = {};
  EXPECT_THAT(step().remove, UnorderedElementsAre(testing::Pair("rules", ElementsAre("r")),
                                                  testing::Pair("listeners", ElementsAre("l")),
                                                  testing::Pair("server_groups", ElementsAre("g")),
                                                  testing::Pair("load_balancers", ElementsAre("lb"))));
  EXPECT_THAT(there.server_groups, testing::SizeIs(2));
}

TEST_F(Diff, what_a_user_refers_to_stays_and_the_rest_goes) {
  there.rules["users"] = rule("users", "l", "g", "");
  wanted.model = {};
  const Change c = step();
  EXPECT_THAT(c.remove, ElementsAre(testing::Pair("rules", ElementsAre("r"))))
      << "listener, group and load balancer are in use";
}

TEST_F(Diff, a_listener_that_is_taken_over_goes_with_its_rules_whoever_made_them) {
  there.listeners["mine"] = listener("mine", "lb", "");
  there.rules["mine-1"] = rule("mine-1", "mine", "g", "someone");
  wanted.taken_over = {"mine"};
  const Change c = step();
  EXPECT_TRUE(c.override_manager);
  EXPECT_THAT(c.remove, UnorderedElementsAre(testing::Pair("rules", ElementsAre("mine-1")),
                                             testing::Pair("listeners", ElementsAre("mine"))));
  EXPECT_TRUE(step().empty()) << "once";
}

TEST_F(Diff, a_released_load_balancer_loses_our_mark_and_keeps_its_address) {
  wanted.model = {};
  wanted.released = {"lb"};
  const Change c = step();
  EXPECT_EQ(c.put.load_balancers.at("lb").managed_by, "");
  EXPECT_THAT(c.put.load_balancers.at("lb").addresses, ElementsAre("192.0.2.1"));
  EXPECT_FALSE(c.remove.contains("load_balancers"));
  EXPECT_TRUE(step().empty());
}

TEST_F(Diff, what_was_refused_is_left_out_with_what_needs_it_until_it_is_another) {
  wanted.model.server_groups["bad"] = group("bad", {member("10.0.0.9")});
  wanted.model.rules["needs-bad"] = rule("needs-bad", "l", "bad");
  wanted.model.rules["good"] = rule("good", "l", "g");
  refused["server_groups/bad"] = fingerprint(wanted.model.server_groups["bad"]);
  const Change c = step();
  EXPECT_THAT(c.put.server_groups, IsEmpty());
  EXPECT_THAT(c.put.rules, ElementsAre(testing::Pair("good", testing::_)));
  wanted.model.server_groups["bad"].members = {member("10.0.0.8")};
  EXPECT_THAT(step().put.rules, ElementsAre(testing::Pair("needs-bad", testing::_)))
      << "it has changed: tried again";
}

TEST_F(Diff, a_refused_change_of_something_that_serves_leaves_it_as_it_is) {
  wanted.model.server_groups["g"].members.push_back(member("10.0.0.3"));
  refused["server_groups/g"] = fingerprint(wanted.model.server_groups["g"]);
  EXPECT_TRUE(step().empty());
}

TEST_F(Diff, a_certificate_is_sent_when_its_chain_changes_and_with_its_key) {
  there.certificates["c"] = {"c", "chain 1", "", true, kMark};  // as the appliance shows it
  wanted.model.certificates["c"] = {"c", "chain 1", "key 1", true, kMark};
  EXPECT_TRUE(step().empty());
  wanted.model.certificates["c"] = {"c", "chain 2", "key 2", true, kMark};
  const Change c = step();
  EXPECT_EQ(c.put.certificates.at("c").private_key, "key 2");
  EXPECT_EQ(c.to_json()["put"]["certificates"][0]["private_key"], "key 2");
  EXPECT_TRUE(step().empty()) << "afterwards it is as if it had been read";
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
