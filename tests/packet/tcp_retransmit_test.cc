// SPDX-License-Identifier: Apache-2.0
// RFC 6298 (timer), RFC 5681, 6582, 3042 (loss recovery without SACK; with it: tcp_recovery_test.cc), path
// MTU.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpRetransmit = TcpScript;

TEST_F(TcpRetransmit, timeout_backs_off_and_gives_up_after_the_user_timeout) {
  config.user_timeout = 5s;
  establish();
  user_sends("hello");
  expect("P. 1:6(5) ack 1");
  expect_at(200ms, "P. 1:6(5) ack 1");
  expect_at(600ms, "P. 1:6(5) ack 1");
  expect_at(1400ms, "P. 1:6(5) ack 1");
  expect_at(3000ms, "P. 1:6(5) ack 1");
  expect_at(5000ms, "R. 6:6(0) ack 1");
  expect_events({"closed timeout"});
}

TEST_F(TcpRetransmit, rto_follows_the_measured_round_trip_time) {
  establish();
  user_sends("a");
  expect("P. 1:2(1) ack 1");
  at(150ms);
  send(". 1:1(0) ack 2");  // after the handshake's sample of 0: srtt 18.75 ms, rttvar 37.5 ms
  at(1s);
  user_sends("b");
  expect("P. 2:3(1) ack 1");
  at(1150ms);
  send(". 1:1(0) ack 3");  // srtt 35.2 ms, rttvar 60.9 ms: RTO 279 ms
  user_sends("c");
  expect("P. 3:4(1) ack 1");
  expect_nothing_until(1428ms);
  at(1430ms);
  expect("P. 3:4(1) ack 1");
}

TEST_F(TcpRetransmit, karn_takes_no_sample_from_what_was_sent_twice) {
  establish();
  user_sends("a");
  expect("P. 1:2(1) ack 1");
  expect_at(200ms, "P. 1:2(1) ack 1");
  at(500ms);
  send(". 1:1(0) ack 2");
  user_sends("b");  // the backed-off RTO holds until there is a sample (RFC 6298, 5)
  expect("P. 2:3(1) ack 1");
  expect_at(900ms, "P. 2:3(1) ack 1");
}

TEST_F(TcpRetransmit, after_a_lost_syn_data_starts_with_a_timeout_of_three_seconds) {
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  expect_at(1s, "S. 0:0(0) ack 1");
  at(1100ms);
  send(". 1:1(0) ack 1");
  user_sends("a");
  expect("P. 1:2(1) ack 1");
  expect_at(4100ms, "P. 1:2(1) ack 1");
  send(". 1:1(0) ack 2");
}

TEST_F(TcpRetransmit, initial_window_is_ten_segments) {
  establish();
  user_sends(20000);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const std::uint32_t at = 1 + 1000 * i;
    expect(". " + std::to_string(at) + ":" + std::to_string(at + 1000) + "(1000) ack 1");
  }
  expect_nothing();
  send(". 1:1(0) ack 2001");  // slow start: two acknowledged, four more
  expect(". 10001:11001(1000) ack 1");
  expect(". 11001:12001(1000) ack 1");
  expect(". 12001:13001(1000) ack 1");
  expect(". 13001:14001(1000) ack 1");
  expect_nothing();
  user_aborts();
  expect("R. 14001:14001(0) ack 1");
}

TEST_F(TcpRetransmit, three_duplicates_without_sack_retransmit_at_once_and_partial_acks_go_on) {
  establish();
  user_sends(10000);
  for (int i = 0; i < 9; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) + "(1000)");
  expect("P. 9001:10001(1000)");
  send(". 1:1(0) ack 1001");
  send(". 1:1(0) ack 1001");
  send(". 1:1(0) ack 1001");
  expect_nothing();
  send(". 1:1(0) ack 1001");
  expect(". 1001:2001(1000) ack 1");
  EXPECT_EQ(stack().stats().fast_retransmits.get(), 1u);
  send(". 1:1(0) ack 4001");  // partial: the next hole follows (RFC 6582, 3.2)
  expect(". 4001:5001(1000) ack 1");
  send(". 1:1(0) ack 10001");
  expect_nothing();
  EXPECT_EQ(stack().stats().timeouts.get(), 0u);
}

TEST_F(TcpRetransmit, limited_transmit_sends_one_new_segment_for_each_of_the_first_two_duplicates) {
  establish();
  user_sends(20000);
  for (int i = 0; i < 10; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) + "(1000)");
  send(". 1:1(0) ack 1");
  expect(". 10001:11001(1000)");
  send(". 1:1(0) ack 1");
  expect(". 11001:12001(1000)");
  send(". 1:1(0) ack 1");
  expect(". 1:1001(1000)");
  expect_nothing();
  user_aborts();
  expect("R. 12001:12001(0) ack 1");
}

TEST_F(TcpRetransmit, packet_too_big_makes_segments_smaller_and_sends_what_was_lost) {
  establish("<mss 1460>");
  user_sends(2000);
  expect(". 1:1461(1460)");
  expect("P. 1461:2001(540)");
  icmp(net::IcmpError::Kind::kTooBig, 1, 1000);
  expect(". 1:961(960)");
  expect(". 961:1921(960)");
  expect("P. 1921:2001(80)");
  send(". 1:1(0) ack 2001");
}

TEST_F(TcpRetransmit, what_shares_a_record_that_cannot_be_cut_is_sent_again_by_segments) {
  establish();
  const auto fill = [&] {  // Flight::kMaxSegments, with one more
    for (int i = 0; i < 4095; ++i) user_sends("x");
    discard_sent();
  };
  fill();
  user_sends(2000);  // the second segment finds no record of its own
  expect(". 4096:5096(1000)");
  expect("P. 5096:6096(1000)");
  send(". 1:1(0) ack 4096");
  fill();
  expect_at(200ms, ". 4096:5096(1000) ack 1");
  send(". 1:1(0) ack 5096");
  expect(". 5096:6096(1000) ack 1");
  discard_sent();
  user_aborts();
  discard_sent();
}

TEST_F(TcpRetransmit, large_segments_that_vanish_without_a_word_are_tried_smaller_after_the_second_timeout) {
  establish("<mss 1460>");
  user_sends(2000);
  expect(". 1:1461(1460)");
  expect("P. 1461:2001(540)");
  expect_at(200ms, ". 1:1461(1460)");
  expect_at(600ms, ". 1:1241(1240)");
  EXPECT_EQ(stack().stats().black_holes.get(), 1u);
  at(650ms);
  send(". 1:1(0) ack 1241");
  expect("P. 1241:2001(760)");
  send(". 1:1(0) ack 2001");
}

TEST_F(TcpRetransmit, small_segments_that_are_lost_do_not_make_segments_smaller) {
  establish("<mss 1460>");
  user_sends(1000);
  expect("P. 1:1001(1000)");
  expect_at(200ms, "P. 1:1001(1000)");
  expect_at(600ms, "P. 1:1001(1000)");
  at(650ms);
  send(". 1:1(0) ack 1001");
  user_sends(1460);
  expect("P. 1001:2461(1460)");
  send(". 1:1(0) ack 2461");
  EXPECT_EQ(stack().stats().black_holes.get(), 0u);
}

TEST_F(TcpRetransmit, packet_too_big_is_not_believed_outside_of_what_is_in_flight_or_below_the_minimum) {
  establish("<mss 1460>");
  user_sends(1460);
  expect("P. 1:1461(1460)");
  icmp(net::IcmpError::Kind::kTooBig, 5000, 600);
  expect_nothing();
  icmp(net::IcmpError::Kind::kTooBig, 1, 68);
  expect(". 1:513(512)");
  expect(". 513:1025(512)");
  expect("P. 1025:1461(436)");
  send(". 1:1(0) ack 1461");
}

TEST_F(TcpRetransmit, unreachable_ends_a_connection_only_while_it_is_opened) {
  connect();
  expect("S 0:0(0)");
  icmp(net::IcmpError::Kind::kUnreachable, 77);  // not our SYN
  expect_events({});
  icmp(net::IcmpError::Kind::kPortUnreachable, 0);
  expect_events({"closed unreachable"});
}

TEST_F(TcpRetransmit, unreachable_does_not_end_an_established_connection) {
  establish();
  user_sends("x");
  expect("P. 1:2(1)");
  icmp(net::IcmpError::Kind::kUnreachable, 1);
  expect_events({});
  send(". 1:1(0) ack 2");
}

}  // namespace
}  // namespace sluice::test
