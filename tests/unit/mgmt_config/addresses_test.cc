// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgmt/config/address_range.h"
#include "mgmt/config/validate.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::config {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

LoadBalancer without_address(std::string id, std::string scheme = "internet") {
  return {std::move(id), "", std::move(scheme), {}};
}

TEST(AssignAddresses, takes_the_first_free_ones_in_order_of_id) {
  Config c = test::sample();
  c.load_balancers["edge"].addresses = {"198.51.100.8"};
  c.load_balancers["b"] = without_address("b");
  c.load_balancers["a"] = without_address("a");
  EXPECT_THAT(assign_addresses(c, Config()), ElementsAre());
  EXPECT_THAT(c.load_balancers["a"].addresses, ElementsAre("198.51.100.9"));
  EXPECT_THAT(c.load_balancers["b"].addresses, ElementsAre("2001:db8::10"));
}

TEST(AssignAddresses, says_when_the_pools_of_the_scheme_are_empty) {
  Config c = test::sample();
  for (const char* id : {"a", "b", "c", "d"}) c.load_balancers[id] = without_address(id);
  c.load_balancers["in"] = without_address("in", "internal");
  EXPECT_THAT(assign_addresses(c, Config()),
              UnorderedElementsAre(
                  FieldError{"/load_balancers/d/addresses",
                             "must be given: no address pool of scheme \"internet\" has a free one"},
                  FieldError{"/load_balancers/in/addresses",
                             "must be given: no address pool of scheme \"internal\" has a free one"}));
}

TEST(AssignAddresses, takes_the_version_that_is_asked_for_from_the_pool_that_is_named) {
  Config c = test::sample();
  c.address_pools["second"] = {"second", "internet", {"203.0.113.0/31", "2001:db8:2::/127"}};
  const auto add = [&](const char* id, const char* version, const char* pool) {
    c.load_balancers[id] = without_address(id);
    c.load_balancers[id].ip_version = version;
    c.load_balancers[id].address_pool = pool;
  };
  add("a", "dual", "second");
  add("b", "ipv6", "");
  add("c", "any", "second");
  EXPECT_THAT(assign_addresses(c, Config()), ElementsAre());
  EXPECT_THAT(c.load_balancers["a"].addresses, ElementsAre("203.0.113.0", "2001:db8:2::"));
  EXPECT_THAT(c.load_balancers["b"].addresses, ElementsAre("2001:db8::10"));
  EXPECT_THAT(c.load_balancers["c"].addresses, ElementsAre("203.0.113.1"));

  Config next = c;
  for (const char* id : {"a", "b"}) next.load_balancers[id].addresses.clear();
  add("a0", "dual", "second");
  next.load_balancers["a0"] = c.load_balancers["a0"];
  EXPECT_THAT(assign_addresses(next, c),
              ElementsAre(FieldError{"/load_balancers/a0/addresses",
                                     "must be given: address pool \"second\" has no free IPv4 one"}));
  EXPECT_THAT(next.load_balancers["a"].addresses, ElementsAre("203.0.113.0", "2001:db8:2::"));
}

TEST(AssignAddresses, keeps_what_a_load_balancer_had_before_newcomers_choose) {
  Config before = test::sample();
  before.load_balancers["m"] = without_address("m");
  ASSERT_THAT(assign_addresses(before, Config()), ElementsAre());
  ASSERT_THAT(before.load_balancers["m"].addresses, ElementsAre("198.51.100.8"));
  Config next = before;
  next.load_balancers["m"].addresses.clear();
  next.load_balancers["a"] = without_address("a");
  EXPECT_THAT(assign_addresses(next, before), ElementsAre());
  EXPECT_THAT(next.load_balancers["m"].addresses, ElementsAre("198.51.100.8"));
  EXPECT_THAT(next.load_balancers["a"].addresses, ElementsAre("198.51.100.9"));
}

TEST(AssignAddresses, gives_up_what_the_pool_no_longer_holds_or_another_claims) {
  Config before = test::sample();
  before.load_balancers["m"] = without_address("m");
  assign_addresses(before, Config());
  Config claimed = before;
  claimed.load_balancers["m"].addresses.clear();
  claimed.load_balancers["edge"].addresses = {"198.51.100.8"};
  EXPECT_THAT(assign_addresses(claimed, before), ElementsAre());
  EXPECT_THAT(claimed.load_balancers["m"].addresses, ElementsAre("198.51.100.9"));
  Config moved = before;
  moved.load_balancers["m"].addresses.clear();
  moved.address_pools["public"].ranges = {"203.0.113.0/30"};
  EXPECT_THAT(assign_addresses(moved, before), ElementsAre());
  EXPECT_THAT(moved.load_balancers["m"].addresses, ElementsAre("203.0.113.0"));
}

TEST(AddressRange, reads_addresses_prefixes_and_pairs) {
  const auto prefix = AddressRange::parse("192.0.2.16/28");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->first.to_string(), "192.0.2.16");
  EXPECT_EQ(prefix->last.to_string(), "192.0.2.31");
  const auto six = AddressRange::parse("2001:db8::/64");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->last.to_string(), "2001:db8::ffff:ffff:ffff:ffff");
  const auto one = AddressRange::parse("192.0.2.255");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->first, one->last);
  EXPECT_EQ(next_address(one->first).to_string(), "192.0.3.0");
  EXPECT_EQ(next_address(*IpAddr::parse("2001:db8::ffff")).to_string(), "2001:db8::1:0");
  for (const char* wrong : {"", "-", "192.0.2.1-", "192.0.2.0/33", "192.0.2.1-192.0.2.2-192.0.2.3", "a-b"}) {
    EXPECT_FALSE(AddressRange::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace sluice::mgmt::config
