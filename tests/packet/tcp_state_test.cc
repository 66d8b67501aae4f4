// SPDX-License-Identifier: Apache-2.0
// Every transition of RFC 9293, figure 5, that is not in tcp_open_test.cc, and the closing half of 3.10.7.4.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpState = TcpScript;

TEST_F(TcpState, established_shutdown_goes_through_fin_wait_1_and_2_to_time_wait) {
  establish();
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  send(". 1:1(0) ack 2");  // FIN-WAIT-2
  expect_nothing();
  send("P. 1:4(3) ack 2", "abc");  // the other direction goes on
  expect_events({"data abc"});
  send("F. 4:4(0) ack 2");
  expect(". 2:2(0) ack 5");
  expect_events({"peer closed", "closed normal"});
  EXPECT_EQ(stack().connections(), 0u);
  EXPECT_EQ(stack().stats().time_wait.get(), 1u);
  expect_nothing_until(61s);
  EXPECT_EQ(stack().stats().time_wait.get(), 0u);
}

TEST_F(TcpState, fin_wait_1_with_fin_and_ack_of_fin_at_once_goes_to_time_wait) {
  establish();
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  send("F. 1:1(0) ack 2");
  expect(". 2:2(0) ack 2");
  expect_events({"peer closed", "closed normal"});
  EXPECT_EQ(stack().stats().time_wait.get(), 1u);
}

TEST_F(TcpState, simultaneous_close_goes_through_closing) {
  establish();
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  send("F. 1:1(0) ack 1");  // CLOSING
  expect(". 2:2(0) ack 2");
  expect_events({"peer closed"});
  send(". 2:2(0) ack 2");
  expect_nothing();
  expect_events({"closed normal"});
  EXPECT_EQ(stack().stats().time_wait.get(), 1u);
}

TEST_F(TcpState, peer_closes_first_then_close_wait_last_ack_closed) {
  establish();
  send("F. 1:1(0) ack 1");
  expect(". 1:1(0) ack 2");
  expect_events({"peer closed"});
  user_sends("late");  // CLOSE-WAIT still sends
  expect("P. 1:5(4) ack 2");
  send(". 2:2(0) ack 5");
  user_shuts_down();
  expect("F. 5:5(0) ack 2");  // LAST-ACK
  send(". 2:2(0) ack 6");
  expect_nothing();
  expect_events({"closed normal"});
  EXPECT_EQ(stack().connections(), 0u);
  EXPECT_EQ(stack().stats().time_wait.get(), 0u);
}

TEST_F(TcpState, simultaneous_open_goes_through_syn_received_to_established) {
  connect();
  expect("S 0:0(0)");
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1 <mss 1460>");
  send("S. 0:0(0) ack 1 win 60000 <mss 1000>");
  expect_events({"open"});
  user_sends("x");
  expect("P. 1:2(1) ack 1");
  send("F. 1:1(0) ack 2");
  expect(". 2:2(0) ack 2");
  expect_events({"peer closed"});
  user_aborts();
  expect("R. 2:2(0) ack 2");
}

TEST_F(TcpState, simultaneous_open_refused_by_reset_is_reported_to_the_user) {
  connect();
  expect("S 0:0(0)");
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send("R 1:1(0)");
  expect_events({"closed refused"});
}

TEST_F(TcpState, reset_in_syn_received_returns_to_listen_without_a_word_to_the_user) {
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send("R 1:1(0)");
  expect_nothing();
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpState, shutdown_before_established_takes_effect_there_after_what_was_queued) {
  connect();
  expect("S 0:0(0)");
  user_sends("bye");
  user_shuts_down();
  expect_nothing();
  send("S. 0:0(0) ack 1 win 60000 <mss 1000>");
  expect("FP. 1:4(3) ack 1");
  expect_events({"open"});
  send("F. 1:1(0) ack 5");
  expect(". 5:5(0) ack 2");
  expect_events({"peer closed", "closed normal"});
}

TEST_F(TcpState, refused_connect_tells_the_user) {
  connect();
  expect("S 0:0(0)");
  send("R. 0:0(0) ack 1");
  expect_events({"closed refused"});
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpState, syn_sent_answers_a_wrong_acknowledgement_with_reset_and_goes_on) {
  connect();
  expect("S 0:0(0)");
  send("S. 0:0(0) ack 9 win 60000 <mss 1000>");
  expect("R 9:9(0)");
  send("R. 0:0(0) ack 9");  // RST with an acknowledgement that is not ours: ignored
  send("R 0:0(0)");
  send(". 0:0(0) ack 1");
  expect_nothing();
  send("S. 0:0(0) ack 1 win 60000 <mss 1000>");
  expect(". 1:1(0) ack 1");
  expect_events({"open"});
}

TEST_F(TcpState, data_and_fin_on_the_last_handshake_segments_are_taken) {
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send("FP. 1:4(3) ack 1", "GET");
  expect(". 1:1(0) ack 5");
  expect_events({"open", "data GET", "peer closed"});
}

TEST_F(TcpState, lost_syn_ack_is_sent_again_for_the_timer_and_for_a_repeated_syn) {
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  expect_at(1s, "S. 0:0(0) ack 1");
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  expect_at(3s, "S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1");
  expect_events({"open"});
}

TEST_F(TcpState, wrong_acknowledgement_in_syn_received_is_answered_with_reset) {
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 77");
  expect("R 77:77(0)");
  send(". 1:1(0) ack 1");
  expect_events({"open"});
}

TEST_F(TcpState, a_source_that_is_denied_gets_no_answer_and_is_counted) {
  denying = true;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect_nothing();
  send(". 1:1(0) ack 1");  // Nor is it told by a reset that somebody listens.
  expect_nothing();
  EXPECT_EQ(drops(DropReason::kTcpSourceDenied), 2u);
  denying = false;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
}

TEST_F(TcpState, a_connection_goes_on_when_its_source_is_denied_meanwhile) {
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1");
  expect_events({"open"});
  denying = true;
  send("P. 1:3(2) ack 1");
  EXPECT_EQ(drops(DropReason::kTcpSourceDenied), 0u);
}

TEST_F(TcpState, a_connection_too_many_gets_no_answer_until_there_is_room_again) {
  refusing = DropReason::kTcpMaxConnections;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect_nothing();
  EXPECT_EQ(drops(DropReason::kTcpMaxConnections), 1u);
  refusing.reset();
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  refusing = DropReason::kTcpMaxConnections;
  send(". 1:1(0) ack 1");  // What has begun is not refused here.
  expect_events({"open"});
  EXPECT_EQ(drops(DropReason::kTcpMaxConnections), 1u);
}

TEST_F(TcpState, a_segment_of_no_connection_is_answered_with_reset_however_many_there_are) {
  refusing = DropReason::kTcpConnectionRate;
  send(". 1:1(0) ack 77");
  expect("R 77:77(0)");
  EXPECT_EQ(drops(DropReason::kTcpConnectionRate), 0u);
}

TEST_F(TcpState, closed_answers_everything_but_reset_with_reset) {
  listening = false;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("R. 0:0(0) ack 1");
  EXPECT_EQ(drops(DropReason::kTcpNoListener), 1u);
  send("R 5:5(0)");
  expect_nothing();
  send("FP 7:10(3)");
  expect("R. 0:0(0) ack 11");
  EXPECT_EQ(drops(DropReason::kTcpNoConnection), 2u);
}

TEST_F(TcpState, listen_answers_an_acknowledgement_with_reset_and_drops_the_rest) {
  send("F 7:7(0)");
  expect_nothing();
  send("SF 7:7(0)");
  expect_nothing();
  EXPECT_EQ(drops(DropReason::kTcpBadSegment), 2u);
  send(". 7:7(0) ack 3");
  expect("R 3:3(0)");
}

TEST_F(TcpState, a_stream_that_nobody_accepts_is_reset) {
  accepting = false;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1");
  expect("R. 1:1(0) ack 1");
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpState, fin_wait_2_that_the_peer_never_ends_times_out) {
  establish();
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  send(". 1:1(0) ack 2");
  at(50s);
  send("P. 1:2(1) ack 2", "x");
  expect_events({"data x"});
  expect_at(50040ms, ". 2:2(0) ack 2");
  expect_at(110s, "R. 2:2(0) ack 2");
  expect_events({"closed timeout"});
}

TEST_F(TcpState, lost_fin_is_sent_again) {
  establish();
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  expect_at(200ms, "F. 1:1(0) ack 1");
  expect_at(600ms, "F. 1:1(0) ack 1");
  send(". 1:1(0) ack 2");
  send("F. 1:1(0) ack 2");
  expect(". 2:2(0) ack 2");
  expect_events({"peer closed", "closed normal"});
}

TEST_F(TcpState, fin_ahead_of_missing_data_waits_for_it) {
  establish();
  send("F. 4:7(3) ack 1");
  expect(". 1:1(0) ack 1");
  expect_events({});
  send(". 1:4(3) ack 1");
  expect(". 1:1(0) ack 8");
  expect_events({"data abcdef", "peer closed"});
}

TEST_F(TcpState, text_after_the_peers_fin_is_ignored) {
  establish();
  send("F. 1:1(0) ack 1");
  expect(". 1:1(0) ack 2");
  send("P. 2:5(3) ack 1");
  expect_events({"peer closed"});
  user_aborts();
  expect("R. 1:1(0) ack 2");
}

}  // namespace
}  // namespace sluice::test
