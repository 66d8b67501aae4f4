// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/ip.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice {
namespace {

TEST(IpAddr, ParsesAndPrintsBothFamilies) {
  for (const char* text :
       {"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2:3:4"}) {
    const auto a = IpAddr::parse(text);
    ASSERT_TRUE(a) << text;
    EXPECT_EQ(a->to_string(), text);
  }
}

TEST(IpAddr, PrintsIpv6AsRfc5952Has) {
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},  // the first of two runs
           {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},         // the longer one
           {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one group is no run
           {"1::", "1::"},
           {"::ffff:0:0:0", "::ffff:0:0:0"},
           {"0:0:1::", "0:0:1::"},
           {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}}) {
    EXPECT_EQ(IpAddr::parse(from)->text().view(), to);
    EXPECT_EQ(IpAddr::parse(IpAddr::parse(from)->text().view()), IpAddr::parse(from)) << from;
  }
}

TEST(IpAddr, RefusesWhatIsNotExactlyAnAddress) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "[::1]",
                           "fe80::1%eth0", "::1/64", "g::1", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8:9",
                           "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111"}) {
    EXPECT_FALSE(IpAddr::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddr::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddr, KnowsItsFamilyAndScope) {
  const auto v4 = IpAddr::v4(0xc0000201);
  EXPECT_TRUE(v4.is_v4());
  EXPECT_EQ(v4.v4_value(), 0xc0000201u);
  EXPECT_EQ(v4.wire_size(), 4u);
  EXPECT_EQ(v4.wire()[0], 0xc0);
  EXPECT_TRUE(IpAddr::parse("2001:db8::1")->is_v6());
  EXPECT_TRUE(IpAddr::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddr().is_unspecified());
  EXPECT_TRUE(IpAddr::parse("224.0.0.1")->is_multicast());
  EXPECT_TRUE(IpAddr::parse("239.255.255.255")->is_multicast());
  EXPECT_FALSE(IpAddr::parse("240.0.0.1")->is_multicast());
  EXPECT_TRUE(IpAddr::parse("ff02::1")->is_multicast());
  EXPECT_TRUE(IpAddr::parse("febf::1")->is_link_local());
  EXPECT_FALSE(IpAddr::parse("fec0::1")->is_link_local());
  EXPECT_TRUE(IpAddr::parse("169.254.1.1")->is_link_local());
  EXPECT_TRUE(IpAddr::parse("127.1.2.3")->is_loopback());
  EXPECT_TRUE(IpAddr::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddr::parse("::")->is_loopback());
  EXPECT_TRUE(IpAddr::parse("255.255.255.255")->is_v4_broadcast());
}

TEST(IpPrefix, ContainsItsAddressesAndNoOtherFamily) {
  const auto p = IpPrefix::parse("10.1.2.3/12");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->to_string(), "10.1.2.3/12");
  EXPECT_TRUE(p->contains(*IpAddr::parse("10.15.255.255")));
  EXPECT_FALSE(p->contains(*IpAddr::parse("10.16.0.0")));
  EXPECT_FALSE(p->contains(*IpAddr::parse("::a01:203")));
  EXPECT_TRUE(IpPrefix::parse("::/0")->contains(*IpAddr::parse("2001:db8::1")));
  EXPECT_FALSE(IpPrefix::parse("::/0")->contains(*IpAddr::parse("10.0.0.1")));
  EXPECT_TRUE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddr::parse("255.1.1.1")));
  EXPECT_EQ(IpPrefix::parse("2001:db8::1")->length, 128);
}

TEST(IpPrefix, RefusesLengthsThatDoNotExist) {
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08", "::/129", "/8",
                           "10.0.0.0/8/8", "10.0.0.0/ 8", "10.0.0.0/1000"}) {
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
  }
}

TEST(MacAddr, ParsesSixPairsOnly) {
  EXPECT_EQ(MacAddr::parse("02:00:0a:FF:00:01")->to_string(), "02:00:0a:ff:00:01");
  for (const char* text : {"", "02:00:0a:ff:00", "02-00-0a-ff-00-01", "02:00:0a:ff:00:0g",
                           "02:00:0a:ff:00:011", "02:00:0a:ff:00: 1", "02:00:0a:ff:00:-1"}) {
    EXPECT_FALSE(MacAddr::parse(text)) << text;
  }
}

TEST(Endpoint, PrintsBracketsForIpv6Only) {
  EXPECT_EQ((Endpoint{*IpAddr::parse("192.0.2.1"), 80}).to_string(), "192.0.2.1:80");
  EXPECT_EQ((Endpoint{*IpAddr::parse("2001:db8::1"), 443}).to_string(), "[2001:db8::1]:443");
  const IpAddr longest = *IpAddr::parse("1111:2222:3333:4444:5555:6666:7777:8888");
  EXPECT_EQ((Endpoint{longest, 65535}).text().view(), "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

TEST(HashValue, SpreadsNeighbouringFlowsAndDependsOnTheSeed) {
  std::set<std::uint64_t> low_bits;
  FlowKey k{{IpAddr::v4(0xc0000201), 80}, {IpAddr::v4(0x0a000001), 1024}};
  for (std::uint16_t port = 1024; port < 1024 + 4096; ++port) {
    k.remote.port = port;
    low_bits.insert(hash_value(k, 7) & 0xffff);
  }
  // 4096 balls in 65536 bins leave about 3972 bins hit.
  EXPECT_GT(low_bits.size(), 3850u);
  EXPECT_NE(hash_value(k, 7), hash_value(k, 8));
  EXPECT_NE(hash_value(k.local, 7), hash_value(k.remote, 7));
  EXPECT_NE(hash_value(k, 7), hash_value(FlowKey{k.remote, k.local}, 7));
}

}  // namespace
}  // namespace sluice
