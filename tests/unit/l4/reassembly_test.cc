// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/reassembly.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/eal.h"

namespace sluice::l4::tcp {
namespace {

using test::buffers;
using test::chain_of;
using test::free_buffers;

class ReassemblyTest : public testing::Test {
 protected:
  void TearDown() override {
    queue.clear();
    EXPECT_EQ(free_buffers(), before);
    EXPECT_EQ(pool.live(), 0u);
  }
  bool insert(std::uint32_t seq, std::string_view text) {
    return queue.insert(SeqNum(seq), chain_of(text), limits, buffers());
  }
  std::string take(std::uint32_t seq) { return queue.take(SeqNum(seq)).to_string(); }

  std::size_t before = free_buffers();
  ReassemblyLimits limits{64, 256};
  Reassembly::Pool pool{1024};
  Reassembly queue{pool};
};

TEST_F(ReassemblyTest, gives_bytes_once_the_gap_is_filled) {
  insert(103, "def");
  EXPECT_EQ(take(100), "");
  insert(100, "abc");
  EXPECT_EQ(queue.blocks(), 1u);
  EXPECT_EQ(take(100), "abcdef");
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.buffers(), 0u);
}

TEST_F(ReassemblyTest, what_came_first_wins_where_segments_overlap) {
  insert(102, "CD");
  insert(106, "GH");
  insert(100, "abcdefghij");
  EXPECT_EQ(take(100), "abCDefGHij");
}

TEST_F(ReassemblyTest, take_leaves_out_what_was_delivered_already) {
  insert(100, "abcdef");
  EXPECT_EQ(take(103), "def");
  insert(200, "xyz");
  EXPECT_EQ(take(210), "");
  EXPECT_TRUE(queue.empty());
}

TEST_F(ReassemblyTest, reports_the_latest_block_first) {
  insert(100, "a");
  insert(200, "b");
  insert(300, "c");
  insert(101, "a");
  Options o;
  queue.report(o, 2);
  ASSERT_EQ(o.sack_count, 2);
  EXPECT_EQ(o.sack[0], (SackBlock{SeqNum(100), SeqNum(102)}));
  EXPECT_EQ(o.sack[1], (SackBlock{SeqNum(300), SeqNum(301)}));
}

TEST_F(ReassemblyTest, small_neighbours_share_a_buffer) {
  for (std::uint32_t i = 0; i < 200; ++i) insert(100 + i, "x");
  EXPECT_EQ(queue.buffers(), 1u);
  EXPECT_EQ(queue.blocks(), 1u);
}

TEST_F(ReassemblyTest, refuses_beyond_its_bounds_and_keeps_what_it_has) {
  limits = {2, 256};
  EXPECT_TRUE(insert(100, "a"));
  EXPECT_TRUE(insert(200, "b"));
  EXPECT_FALSE(insert(300, "c"));
  EXPECT_TRUE(insert(201, "b"));
  limits = {64, 2};
  EXPECT_FALSE(insert(300, "c"));
  EXPECT_EQ(queue.bytes(), 3u);
}

TEST_F(ReassemblyTest, agrees_with_an_array_of_bytes) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const std::uint32_t base = 0xffffff00;
    std::string truth(600, '.'), got;
    for (char& c : truth) c = static_cast<char>('a' + random() % 26);
    std::uint32_t next = 0;
    for (int i = 0; i < 4000 && next < truth.size(); ++i) {
      const std::uint32_t at = random() % truth.size();
      const std::uint32_t n =
          1 + random() % std::min<std::uint32_t>(60, static_cast<std::uint32_t>(truth.size()) - at);
      if (at + n > next) insert(base + at, truth.substr(at, n));
      const std::string more = take(base + next);
      next += static_cast<std::uint32_t>(more.size());
      got += more;
    }
    ASSERT_EQ(got, truth.substr(0, next)) << "seed " << seed;
    queue.clear();
  }
}

}  // namespace
}  // namespace sluice::l4::tcp
