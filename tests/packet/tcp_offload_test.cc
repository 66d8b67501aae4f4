// SPDX-License-Identifier: Apache-2.0
// Many segments handled as one: on the way out cut by the port or the IP layer (GSO, TSO), on the way in joined
// (GRO). On the wire, and for the peer, nothing may look different.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpOffload = TcpScript;

TEST_F(TcpOffload, what_both_windows_allow_leaves_as_one_packet) {
  establish("<mss 1000>", 65000);
  const std::size_t before = handed_down();
  user_sends(8000);
  EXPECT_EQ(handed_down(), before + 1);
  for (int i = 0; i < 7; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) + "(1000) ack 1");
  expect("P. 7001:8001(1000) ack 1");
  send(". 1:1(0) ack 8001");
}

TEST_F(TcpOffload, without_it_each_segment_is_a_packet) {
  config.segmentation = false;
  establish("<mss 1000>", 65000);
  const std::size_t before = handed_down();
  user_sends(8000);
  EXPECT_EQ(handed_down(), before + 8);
  send(". 1:1(0) ack 8001");
  discard_sent();
}

TEST_F(TcpOffload, what_is_less_than_a_segment_follows_by_itself_and_fin_goes_with_the_last_byte) {
  establish("<mss 1000>", 65000);
  const std::size_t before = handed_down();
  stream().send(chain_of(std::string(3000, 'x')), now());
  stream().shutdown(now());
  flush();
  EXPECT_EQ(handed_down(), before + 2);
  expect(". 1:1001(1000) ack 1");
  expect(". 1001:2001(1000) ack 1");
  expect("FP. 2001:3001(1000) ack 1");
  send("R 1:1(0)");
}

TEST_F(TcpOffload, the_peers_window_cuts_a_train_short) {
  establish("<mss 1000>", 3500);
  user_sends(8000);
  for (const char* line : {". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1"}) expect(line);
  expect_nothing();
  send(". 1:1(0) ack 3001 win 60000");
  discard_sent();
  send("R 1:1(0)");
}

TEST_F(TcpOffload, each_segment_of_a_train_is_lost_and_sent_again_by_itself) {
  establish("<mss 1000, sackOK>", 65000);
  user_sends(8000);
  discard_sent();
  send(". 1:1(0) ack 1001");
  send(". 1:1(0) ack 1001 <sack 2001:5001>");
  at(100ms);
  expect(". 1001:2001(1000) ack 1");
  expect_nothing();
  send(". 1:1(0) ack 8001");
}

TEST_F(TcpOffload, cwr_is_said_by_one_segment) {
  config.ecn = true;
  send("SEW 0:0(0) win 65000 <mss 1000>");
  expect("SE. 0:0(0) ack 1 <mss 1460>");
  send(". 1:1(0) ack 1 win 65000");
  user_sends(8000);
  discard_sent();
  send("E. 1:1(0) ack 8001");
  user_sends(4000);
  expect("W. 8001:9001(1000) ack 1");
  expect(". 9001:10001(1000) ack 1");
  expect(". 10001:11001(1000) ack 1");
  expect("P. 11001:12001(1000) ack 1");
  send(". 1:1(0) ack 12001");
}

TEST_F(TcpOffload, segments_of_one_batch_are_delivered_and_acknowledged_as_one) {
  establish();
  send_batch({". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", "P. 2001:3001(1000) ack 1"});
  expect(". 1:1(0) ack 3001");
  expect_events({"data 3000"});
  EXPECT_EQ(stack().stats().segments_in.get(), 5u);
}

TEST_F(TcpOffload, what_says_something_else_is_not_joined) {
  establish();
  user_sends(3000);
  discard_sent();
  // An ACK that moves; a window; a FIN: each must count.
  send_batch({". 1:1001(1000) ack 1001", ". 1001:2001(1000) ack 2001", ". 2001:3001(1000) ack 2001 win 100",
              "F. 3001:4001(1000) ack 3001 win 100"});
  expect(". 3001:3001(0) ack 4002");
  EXPECT_EQ(stream().unsent_or_unacked(), 0u);
  EXPECT_EQ(user().received.size(), 4000u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpOffload, segments_above_a_gap_are_each_acknowledged) {
  establish("<mss 1000>");
  send_batch({". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1", ". 3001:4001(1000) ack 1"});
  for (int i = 0; i < 3; ++i) expect(". 1:1(0) ack 1");
  send_batch({". 1:501(500) ack 1", ". 501:1001(500) ack 1"});
  expect(". 1:1(0) ack 4001");
}

TEST_F(TcpOffload, a_joined_segment_is_held_to_the_window) {
  config.receive_buffer = 2500;
  establish();
  user().consumes = false;
  send_batch({". 1:1001(1000) ack 1", ". 1001:2001(1000) ack 1", ". 2001:3001(1000) ack 1"});
  expect(". 1:1(0) ack 2501 win 0");
  EXPECT_EQ(user().received.size(), 2500u);
}

// ---- ACKs that come as one batch: nothing is sent between them, and each must count as if there had been.

TEST_F(TcpOffload, all_acknowledgements_of_a_batch_open_the_window) {
  establish("<mss 1000>", 65000);
  user_sends(60'000);
  EXPECT_EQ(sent_count(), 10u);
  discard_sent();
  send_batch({". 1:1(0) ack 2001", ". 1:1(0) ack 4001", ". 1:1(0) ack 6001", ". 1:1(0) ack 8001", ". 1:1(0) ack 10001"});
  EXPECT_EQ(sent_count(), 20u);
  discard_sent();
  send("R 1:1(0)");
}

TEST_F(TcpOffload, acknowledgements_before_a_mark_in_its_batch_do_not_deepen_the_reduction) {
  config.ecn = true;
  send("SEW 0:0(0) win 65000 <mss 1000>");
  expect("SE. 0:0(0) ack 1 <mss 1460>");
  send(". 1:1(0) ack 1 win 65000");
  user_sends(60'000);
  EXPECT_EQ(sent_count(), 10u);
  discard_sent();
  send_batch({". 1:1(0) ack 2001", ". 1:1(0) ack 4001", ". 1:1(0) ack 6001", "E. 1:1(0) ack 8001"});
  EXPECT_EQ(sent_count(), 9u) << "as one by one: the window was 16, is 11 of which two are out";
  discard_sent();
  send("R 1:1(0)");
}

}  // namespace
}  // namespace sluice::test
