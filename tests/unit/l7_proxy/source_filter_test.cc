// SPDX-License-Identifier: Apache-2.0
#include "l7/source_filter.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice::l7 {
namespace {

using Type = SourceFilter::Type;

IpAddr ip(const char* text) { return *IpAddr::parse(text); }
SourceFilter::Range range(const char* first, const char* last) { return {ip(first), ip(last)}; }

TEST(SourceFilter, AnAllowListAdmitsItsNetworksAndNobodyElse) {
  const SourceFilter f(Type::kAllow, {range("10.1.0.0", "10.1.255.255"), range("2001:db8::", "2001:db8::ff"),
                                      range("192.0.2.7", "192.0.2.7")});
  for (const char* in : {"10.1.0.0", "10.1.77.1", "10.1.255.255", "192.0.2.7", "2001:db8::", "2001:db8::ff"})
    EXPECT_TRUE(f.admits(ip(in))) << in;
  for (const char* out : {"10.0.255.255", "10.2.0.0", "192.0.2.6", "192.0.2.8", "2001:db8::100", "::1", "0.0.0.0"})
    EXPECT_FALSE(f.admits(ip(out))) << out;
}

TEST(SourceFilter, ADenyListKeepsItsNetworksOut) {
  const SourceFilter f(Type::kDeny, {range("10.1.0.0", "10.1.255.255")});
  EXPECT_FALSE(f.admits(ip("10.1.2.3")));
  EXPECT_TRUE(f.admits(ip("10.2.0.0")));
  EXPECT_TRUE(f.admits(ip("2001:db8::1")));
}

TEST(SourceFilter, AllOfIPv6SaysNothingAboutIPv4) {
  const SourceFilter f(Type::kDeny, {range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")});
  EXPECT_FALSE(f.admits(ip("::1")));
  EXPECT_FALSE(f.admits(ip("ffff::1")));
  EXPECT_TRUE(f.admits(ip("10.0.0.1")));
}

TEST(SourceFilter, AnEmptyAllowListAdmitsNobodyAndAnEmptyDenyListEverybody) {
  EXPECT_FALSE(SourceFilter(Type::kAllow, {}).admits(ip("10.0.0.1")));
  EXPECT_TRUE(SourceFilter(Type::kDeny, {}).admits(ip("10.0.0.1")));
}

TEST(SourceFilter, OverlappingAndNestedRangesCountTogether) {
  std::mt19937 random(1);
  std::vector<SourceFilter::Range> ranges;
  for (int i = 0; i < 200; ++i) {
    const auto first = static_cast<std::uint32_t>(random() % 4000), last = first + static_cast<std::uint32_t>(random() % 40);
    ranges.emplace_back(IpAddr::v4(0x0a000000 + first), IpAddr::v4(0x0a000000 + last));
  }
  const SourceFilter f(Type::kAllow, ranges);
  for (std::uint32_t at = 0; at < 4100; ++at) {
    const IpAddr a = IpAddr::v4(0x0a000000 + at);
    bool expected = false;
    for (const auto& r : ranges) expected |= r.first <= a && a <= r.second;
    EXPECT_EQ(f.admits(a), expected) << a.to_string();
  }
}

}  // namespace
}  // namespace sluice::l7
