// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

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

TEST(BufChain, TakesWholeSegmentsUpToOneThatWasWalkedTo) {
  const std::size_t before = test::free_buffers();
  {
    BufChain c = chain_of("abcdefghij", 4);
    BufChain front = c.take_through(segment::next(c.head()), 2, 8);
    EXPECT_EQ(front.to_string(), "abcdefgh");
    EXPECT_EQ(front.size(), 8u);
    EXPECT_EQ(front.segments(), 2u);
    EXPECT_EQ(c.to_string(), "ij");
    EXPECT_EQ(c.size(), 2u);
    front.append(c.take_through(c.head(), 1, 2));
    EXPECT_TRUE(c.empty());
    c.push_back(test::buf_of("k"));
    EXPECT_EQ(c.to_string(), "k") << "nothing is left of what it was";
    EXPECT_EQ(c.segments(), 1u);
    EXPECT_EQ(front.to_string(), "abcdefghij");
  }
  EXPECT_EQ(test::free_buffers(), before);
}

TEST(BufChain, GrowsAndShrinksAtItsEnd) {
  const std::size_t before = test::free_buffers();
  {
    BufChain c = chain_of("abcdefghij", 4);
    std::copy_n("kl", 2, c.extend(2));
    EXPECT_EQ(c.to_string(), "abcdefghijkl");
    EXPECT_EQ(c.size(), 12u);
    c.drop_back(3);  // of the last segment
    EXPECT_EQ(c.to_string(), "abcdefghi");
    EXPECT_EQ(c.segments(), 3u);
    c.drop_back(1);  // all that is left of it
    EXPECT_EQ(c.segments(), 2u);
    c.drop_back(5);
    EXPECT_EQ(c.to_string(), "abc");
    EXPECT_EQ(c.segments(), 1u);
    c.drop_back(3);
    EXPECT_TRUE(c.empty());
  }
  EXPECT_EQ(test::free_buffers(), before);
}

TEST(BufChain, CopiesOutOverSegmentBorders) {
  BufChain c = chain_of("abcdefghij", 3);
  std::uint8_t out[5];
  c.copy_out(2, out);
  EXPECT_EQ(std::string(out, out + 5), "cdefg");
}

}  // namespace
}  // namespace sluice
