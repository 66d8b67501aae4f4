// SPDX-License-Identifier: Apache-2.0
// RFC 3168: negotiation, the echo of CE, the reaction to it, and what may be marked.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

class TcpEcn : public TcpScript {
 protected:
  TcpEcn() { config.ecn = true; }
  /// The peer opens a connection on which both have ECN.
  void establish_with_ecn() {
    send("SEW 0:0(0) win 60000 <mss 1000, sackOK>");
    expect("SE. 0:0(0) ack 1 ip not-ect");
    send(". 1:1(0) ack 1 win 60000");
    expect_events({"open"});
  }
};

TEST_F(TcpEcn, a_client_that_asks_gets_it_and_new_data_is_marked) {
  establish_with_ecn();
  user_sends("hello");
  expect("P. 1:6(5) ack 1 ip ect0");
  send(". 1:1(0) ack 6");
}

TEST_F(TcpEcn, a_client_that_does_not_ask_gets_nothing_marked) {
  for (const char* flags : {"S", "SE", "SW"}) {
    send(std::string(flags) + " 0:0(0) win 60000 <mss 1000>");
    expect("S. 0:0(0) ack 1 ip not-ect");
    send(". 1:1(0) ack 1 win 60000");
    user_sends("hello");
    expect("P. 1:6(5) ack 1 ip not-ect");
    user_aborts();
    discard_sent();
    forget_peer();
    ++remote.port;
  }
}

TEST_F(TcpEcn, where_it_is_off_a_client_that_asks_does_not_get_it) {
  config.ecn = false;
  send("SEW 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1 win 60000");
  send("P. 1:2(1) ack 1 ip ce", "x");
  expect_at(40ms, ". 1:1(0) ack 2");
}

TEST_F(TcpEcn, we_ask_with_both_flags_and_a_server_that_agrees_gets_marked_data) {
  connect();
  expect("SEW 0:0(0) ip not-ect");
  send("SE. 0:0(0) ack 1 win 60000 <mss 1000>");
  expect(". 1:1(0) ack 1 ip not-ect");
  user_sends("hello");
  expect("P. 1:6(5) ack 1 ip ect0");
}

TEST_F(TcpEcn, a_server_that_reflects_the_flags_or_is_silent_has_not_agreed) {
  for (const char* flags : {"S.", "SEW."}) {
    connect();
    expect("SEW 0:0(0)");
    send(std::string(flags) + " 0:0(0) ack 1 win 60000 <mss 1000>");
    expect(". 1:1(0) ack 1");
    user_sends("hello");
    expect("P. 1:6(5) ack 1 ip not-ect");
    user_aborts();
    discard_sent();
    forget_peer();
  }
}

TEST_F(TcpEcn, a_syn_that_is_sent_again_asks_no_more) {
  connect();
  expect("SEW 0:0(0)");
  expect_at(1s, "S 0:0(0)");
  send("SE. 0:0(0) ack 1 win 60000 <mss 1000>");  // of the first one, late
  expect(". 1:1(0) ack 1");
  user_sends("hello");
  expect("P. 1:6(5) ack 1 ip not-ect");
}

TEST_F(TcpEcn, a_client_whose_repeated_syn_asks_no_more_gets_nothing_marked) {
  send("SEW 0:0(0) win 60000 <mss 1000>");
  expect("SE. 0:0(0) ack 1");
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1 win 60000");
  user_sends("hello");
  expect("P. 1:6(5) ack 1 ip not-ect");
}

TEST_F(TcpEcn, congestion_is_echoed_on_every_segment_until_the_peer_says_cwr) {
  establish_with_ecn();
  send(". 1:101(100) ack 1 ip ce");
  expect("E. 1:1(0) ack 101");
  send(". 101:201(100) ack 1 ip ect0");
  user_sends("x");
  expect("PE. 1:2(1) ack 201");
  send("W. 201:301(100) ack 2 ip ect0");
  send(". 301:401(100) ack 2 ip ect0");
  expect(". 2:2(0) ack 401");
  send("W. 401:501(100) ack 2 ip ce");  // reduced, and congested again
  expect("E. 2:2(0) ack 501");
  EXPECT_EQ(stack().stats().ecn_marks_in.get(), 2u);
}

TEST_F(TcpEcn, marks_on_pure_acknowledgements_and_outside_of_the_window_say_nothing) {
  establish_with_ecn();
  send(". 1:1(0) ack 1 ip ce");
  send(". 500001:500101(100) ack 1 ip ce");
  expect(". 1:1(0) ack 1");
  send(". 1:101(100) ack 1");
  expect_at(40ms, ". 1:1(0) ack 101");
  EXPECT_EQ(stack().stats().ecn_marks_in.get(), 0u);
}

TEST_F(TcpEcn, an_echo_brings_the_window_down_once_for_each_window_and_the_next_new_data_says_cwr) {
  establish_with_ecn();
  user_sends(40000);
  for (int i = 0; i < 10; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) +
           "(1000) ack 1 ip ect0");
  // 7 segments in place of 10, spread over the ACKs of these (PRR).
  std::uint32_t sent = 10;
  for (const std::uint32_t acked : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
    send((acked < 5 ? "E. 1:1(0) ack " : ". 1:1(0) ack ") + std::to_string(1 + 1000 * acked));
    if (acked == 2 || acked == 4 || acked == 5) {
      expect_nothing();
    } else {
      expect((sent == 10 ? "W. " : ". ") + std::to_string(1 + 1000 * sent) + ":" + std::to_string(1001 + 1000 * sent) +
             "(1000) ack 1 ip ect0");
      ++sent;
    }
  }
  expect_nothing();
  EXPECT_EQ(stack().stats().ecn_reductions.get(), 1u);
  EXPECT_EQ(stack().stats().retransmits.get(), 0u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpEcn, a_reduction_that_finds_nothing_to_send_leaves_the_window_at_its_end) {
  establish_with_ecn();
  user_sends(10000);
  discard_sent();
  send("E. 1:1(0) ack 5001");
  send(". 1:1(0) ack 10001");
  user_sends(20000);
  expect("W. 10001:11001(1000) ack 1 ip ect0");
  for (int i = 11; i < 17; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) + "(1000) ack 1 ip ect0");
  expect_nothing();
  user_aborts();
  discard_sent();
}

TEST_F(TcpEcn, the_next_window_may_be_reduced_again) {
  establish_with_ecn();
  user_sends(40000);
  discard_sent();
  send("E. 1:1(0) ack 1001");
  send(". 1:1(0) ack 10001");
  discard_sent();
  send("E. 1:1(0) ack 12001");
  EXPECT_EQ(stack().stats().ecn_reductions.get(), 2u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpEcn, what_is_sent_again_is_never_marked_and_a_loss_of_the_same_window_reduces_no_further) {
  establish_with_ecn();
  user_sends(10000);
  discard_sent();
  send("E. 1:1(0) ack 1001");
  send(". 1:1(0) ack 1001 <sack 2001:5001>");
  expect(". 1001:2001(1000) ack 1 ip not-ect");
  EXPECT_EQ(stack().stats().ecn_reductions.get(), 1u);
  send("E. 1:1(0) ack 10001");
  // Had the loss reduced it again, the window would be 4 segments now.
  user_sends(20000);
  expect("W. 10001:11001(1000) ack 1 ip ect0");
  for (int i = 11; i < 17; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) +
           "(1000) ack 1 ip ect0");
  expect_nothing();
  user_aborts();
  discard_sent();
}

TEST_F(TcpEcn, a_loss_is_told_by_cwr_as_well) {
  establish_with_ecn();
  user_sends(10000);
  discard_sent();
  send(". 1:1(0) ack 1 <sack 1001:5001>");
  expect(". 1:1001(1000) ack 1 ip not-ect");
  discard_sent();
  send(". 1:1(0) ack 10001");
  user_sends(1000);
  expect("PW. 10001:11001(1000) ack 1 ip ect0");
  send(". 1:1(0) ack 11001");
}

TEST_F(TcpEcn, marked_data_of_which_nothing_ever_arrives_is_marked_no_more) {
  establish_with_ecn();
  user_sends(2000);
  expect(". 1:1001(1000) ack 1 ip ect0");
  expect("P. 1001:2001(1000) ack 1 ip ect0");
  expect_at(2ms, "P. 1001:2001(1000) ack 1 ip not-ect");
  at(210ms);
  expect(". 1:1001(1000) ack 1 ip not-ect");
  send(". 1:1(0) ack 2001");
  discard_sent();
  user_sends("x");
  expect("PW. 2001:2002(1) ack 1 ip not-ect");
  send(". 1:1(0) ack 2002");
}

TEST_F(TcpEcn, a_syn_cookie_keeps_it_for_a_client_with_timestamps) {
  config.max_backlog = 1;
  any_remote = true;
  remote.port = 4999;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  remote.port = 5000;
  forget_peer();
  send("SEW 0:0(0) win 60000 <mss 1400, sackOK, TS val 7 ecr 0, wscale 9>");
  expect("SE. 0:0(0) ack 1 <mss 1460, sackOK, TS, wscale 3>");
  send(". 1:1(0) ack 1 win 100 <TS val 8 ecr " + std::to_string(last_timestamp()) + ">");
  expect_events({"open"});
  user_sends("x");
  expect("P. 1:2(1) ack 1 ip ect0");
  user_aborts();
  discard_sent();
  at(31s);
  discard_sent();
}

}  // namespace
}  // namespace sluice::test
