// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/support/eal.h"

namespace sluice {
namespace {

using test::buffers;
using test::chain_of;

TEST(BufChain, TakesBytesFromTheFrontAcrossSegmentsWithoutCopying) {
  const std::size_t before = test::free_buffers();
  {
    BufChain c = chain_of("abcdefghij", 4);
    BufChain front = c.take_front(6, buffers());
    EXPECT_EQ(front.to_string(), "abcdef");
    EXPECT_EQ(c.to_string(), "ghij");
    EXPECT_EQ(front.size(), 6u);
    EXPECT_EQ(c.size(), 4u);
  }
  EXPECT_EQ(test::free_buffers(), before);
}

TEST(BufChain, SharesARangeAndKeepsTheOriginal) {
  const std::size_t before = test::free_buffers();
  {
    BufChain c = chain_of("abcdefghij", 4);
    BufChain part = c.share(3, 4, buffers());
    EXPECT_EQ(part.to_string(), "defg");
    c.clear();
    EXPECT_EQ(part.to_string(), "defg");
  }
  EXPECT_EQ(test::free_buffers(), before);
}

TEST(BufChain, AppendCopyFillsTheTailOnlyWhenNobodyElseSeesIt) {
  BufChain c = chain_of("abc");
  ASSERT_TRUE(c.append_copy(std::string_view("def"), buffers()));
  EXPECT_EQ(c.segments(), 1u);
  BufChain other = c.share(0, 6, buffers());
  ASSERT_TRUE(c.append_copy(std::string_view("ghi"), buffers()));
  EXPECT_EQ(c.segments(), 2u);
  EXPECT_EQ(c.to_string(), "abcdefghi");
  EXPECT_EQ(other.to_string(), "abcdef");
}

TEST(BufChain, CopiesOutOverSegmentBorders) {
  BufChain c = chain_of("abcdefghij", 3);
  std::uint8_t out[5];
  c.copy_out(2, out);
  EXPECT_EQ(std::string(out, out + 5), "cdefg");
}

}  // namespace
}  // namespace sluice
