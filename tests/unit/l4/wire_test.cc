// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/wire.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace sluice::l4::tcp {
namespace {

std::vector<std::uint8_t> bytes_of(const Header& h) {
  std::vector<std::uint8_t> out(header_size(h.options));
  write_header(out, h);
  return out;
}

TEST(Wire, a_header_with_all_options_reads_back_as_it_was_written) {
  Header h;
  h.source_port = 12345;
  h.destination_port = 443;
  h.seq = SeqNum(0xfffffff0);
  h.ack = SeqNum(0x01020304);
  h.flags = kAck | kPsh;
  h.window = 0xabcd;
  h.options.timestamp = Timestamp{0x11223344, 0x55667788};
  h.options.add_sack({SeqNum(1), SeqNum(5)});
  h.options.add_sack({SeqNum(0xfffffffe), SeqNum(3)});
  const auto back = parse_header(bytes_of(h));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->source_port, 12345);
  EXPECT_EQ(back->destination_port, 443);
  EXPECT_EQ(back->seq, h.seq);
  EXPECT_EQ(back->ack, h.ack);
  EXPECT_EQ(back->flags, h.flags);
  EXPECT_EQ(back->window, h.window);
  EXPECT_EQ(back->options.timestamp, h.options.timestamp);
  ASSERT_EQ(back->options.sack_count, 2);
  EXPECT_EQ(back->options.sack[1], h.options.sack[1]);
}

TEST(Wire, options_of_a_syn_read_back) {
  Header h;
  h.flags = kSyn;
  h.options.mss = 1460;
  h.options.window_scale = 7;
  h.options.sack_permitted = true;
  h.options.timestamp = Timestamp{1, 0};
  const auto bytes = bytes_of(h);
  EXPECT_EQ(bytes.size() % 4, 0u);
  const auto back = parse_header(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->options.mss, 1460);
  EXPECT_EQ(back->options.window_scale, 7);
  EXPECT_TRUE(back->options.sack_permitted);
}

TEST(Wire, the_longest_header_that_we_write_fits) {
  Header h;
  h.options.timestamp = Timestamp{};
  for (int i = 0; i < 3; ++i) h.options.add_sack({});
  EXPECT_LE(header_size(h.options), kMaxHeader);
  Options without;
  for (int i = 0; i < 4; ++i) without.add_sack({});
  EXPECT_LE(header_size(without), kMaxHeader);
}

TEST(Wire, unknown_options_are_skipped_and_end_of_list_ends) {
  const std::array<std::uint8_t, 12> bytes{254, 4, 9, 9, 1, 2, 4, 5, 0xb4, 0, 2, 4};
  const auto o = parse_options(bytes);
  ASSERT_TRUE(o);
  EXPECT_EQ(o->mss, 1460);
}

TEST(Wire, illegal_lengths_are_refused) {
  using Bytes = std::vector<std::uint8_t>;
  for (const Bytes& b :
       {Bytes{2}, Bytes{2, 0}, Bytes{2, 1}, Bytes{2, 3, 1}, Bytes{2, 5, 1, 2, 3}, Bytes{3, 2}, Bytes{8, 9, 0},
        Bytes{5, 2}, Bytes{5, 9, 1, 2, 3, 4, 5, 6, 7}, Bytes{4, 3, 0}, Bytes{254, 1}, Bytes{254, 9, 0}}) {
    EXPECT_FALSE(parse_options(b)) << "kind " << int{b[0]} << " of " << b.size();
  }
}

TEST(Wire, a_window_shift_above_14_is_read_as_14) {
  const std::array<std::uint8_t, 3> bytes{3, 3, 200};
  EXPECT_EQ(parse_options(bytes)->window_scale, 14);
}

}  // namespace
}  // namespace sluice::l4::tcp
