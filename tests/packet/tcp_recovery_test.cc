// SPDX-License-Identifier: Apache-2.0
// Loss recovery with SACK: RACK-TLP (RFC 8985), D-SACK (2883), PRR (9937), and reductions that are taken back
// (3522, 3708, 5682).
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

class TcpRecovery : public TcpScript {
 protected:
  /// Full segments from `first` on, each expected and of 1000 bytes.
  void expect_segments(std::uint32_t first, std::uint32_t count, bool push_last = false) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t at = first + 1000 * i;
      expect((push_last && i + 1 == count ? "P. " : ". ") + std::to_string(at) + ":" +
             std::to_string(at + 1000) + "(1000)");
    }
  }
};

TEST_F(TcpRecovery, sack_recovery_fills_the_holes_and_only_them) {
  establish("<mss 1000, sackOK>", 60000, 100ms);
  user_sends(10000);
  expect_segments(1, 10, true);
  at(200ms);
  // 1 and 3001 are lost.
  send(". 1:1(0) ack 1 <sack 1001:2001>");
  send(". 1:1(0) ack 1 <sack 1001:3001>");
  expect_nothing();
  send(". 1:1(0) ack 1 <sack 4001:5001, sack 1001:3001>");  // more than two segments: RFC 6675, IsLost()
  expect(". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 1 <sack 4001:6001, sack 1001:3001>");
  expect(". 3001:4001(1000) ack 1");
  send(". 1:1(0) ack 1 <sack 4001:10001, sack 1001:3001>");
  expect_nothing();
  at(300ms);
  send(". 1:1(0) ack 3001 <sack 4001:10001>");
  send(". 1:1(0) ack 10001");
  expect_nothing_until(1s);
  EXPECT_EQ(stack().stats().retransmits.get(), 2u);
  EXPECT_EQ(stack().stats().fast_retransmits.get(), 1u);
}

TEST_F(TcpRecovery, what_is_overtaken_is_given_a_quarter_of_a_round_trip) {
  establish("<mss 1000, sackOK>", 60000, 100ms);
  user_sends(3000);
  expect_segments(1, 3, true);
  at(200ms);
  send(". 1:1(0) ack 1 <sack 1001:2001>");
  for (int i = 0; i < 5; ++i) send(". 1:1(0) ack 1 <sack 1001:2001>");  // no news
  expect_nothing_until(224ms);
  expect_at(225ms, ". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 3001");
}

TEST_F(TcpRecovery, reordering_once_seen_is_waited_for_however_much_was_overtaken) {
  establish("<mss 1000, sackOK>", 60000, 100ms);
  user_sends(2000);
  expect_segments(1, 2, true);
  at(200ms);
  send(". 1:1(0) ack 1 <sack 1001:2001>");
  send(". 1:1(0) ack 2001");  // it was late, not lost
  user_sends(8000);
  expect_segments(2001, 8, true);
  at(300ms);
  send(". 1:1(0) ack 2001 <sack 3001:10001>");
  expect_nothing_until(324ms);
  expect_at(325ms, ". 2001:3001(1000) ack 1");
  send(". 1:1(0) ack 10001");
}

TEST_F(TcpRecovery, a_lost_retransmission_is_found_by_what_was_sent_after_it) {
  establish("<mss 1000, sackOK>", 60000, 100ms);
  user_sends(20000);
  expect_segments(1, 10);
  at(200ms);
  send(". 1:1(0) ack 1 <sack 1001:5001>");
  expect(". 1:1001(1000)");
  at(210ms);
  send(". 1:1(0) ack 1 <sack 1001:10001>");
  expect_segments(10001, 6);
  at(320ms);
  send(". 1:1(0) ack 1 <sack 1001:11001>");  // sent 10 ms after the retransmission
  expect(". 1:1001(1000)");
  discard_sent();
  EXPECT_EQ(stack().stats().timeouts.get(), 0u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpRecovery, a_lost_tail_is_probed_after_two_round_trips) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(3000);
  expect_segments(1, 3, true);
  at(100ms);
  send(". 1:1(0) ack 1001");
  expect_at(202ms, "P. 2001:3001(1000) ack 1");  // two round trips of 50 ms after the last ACK
  EXPECT_EQ(stack().stats().tail_probes.get(), 1u);
  at(254ms);
  send(". 1:1(0) ack 1001 <sack 2001:3001>");  // so 1001 is lost
  expect(". 1001:2001(1000) ack 1");
  at(302ms);
  send(". 1:1(0) ack 3001");
  EXPECT_EQ(stack().stats().timeouts.get(), 0u);
}

TEST_F(TcpRecovery, a_probe_is_no_longer_than_its_options_leave_room_for) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(2000);
  expect_segments(1, 2, true);
  at(100ms);
  send(". 101:201(100) ack 1");  // from now on there is a SACK block in each of our segments
  expect(". 2001:2001(0) ack 1 <sack 101:201>");
  expect_at(152ms, "P. 1013:2001(988) ack 1 <sack 101:201>");
  send(". 1:1(0) ack 2001");
}

TEST_F(TcpRecovery, a_probe_carries_new_data_when_there_is_some) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(12000);
  expect_segments(1, 10);
  expect_at(152ms, ". 10001:11001(1000) ack 1");
  expect_nothing_until(340ms);
  at(345ms);
  send(". 1:1(0) ack 11001");
  expect("P. 11001:12001(1000) ack 1");
  send(". 1:1(0) ack 12001");
}

TEST_F(TcpRecovery, a_loss_that_the_probe_repaired_halves_the_window_all_the_same) {
  config.congestion = l4::tcp::Algorithm::kNewReno;
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(10000);
  expect_segments(1, 10, true);
  at(100ms);
  send(". 1:1(0) ack 9001");
  expect_at(300ms, "P. 9001:10001(1000) ack 1");  // 402 ms but for the timeout (RFC 8985, 7.2)
  user_sends(1000);
  expect_segments(10001, 1, true);
  at(355ms);
  send(". 1:1(0) ack 11001");  // beyond the probe, and no D-SACK
  user_sends(30000);
  expect_segments(11001, 2);
  expect_nothing();
  user_aborts();
  discard_sent();
}

TEST_F(TcpRecovery, a_probe_that_was_not_needed_costs_nothing) {
  config.congestion = l4::tcp::Algorithm::kNewReno;
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(10000);
  expect_segments(1, 10, true);
  at(100ms);
  send(". 1:1(0) ack 9001");
  expect_at(300ms, "P. 9001:10001(1000) ack 1");
  send(". 1:1(0) ack 10001");
  send(". 1:1(0) ack 10001 <sack 9001:10001>");  // D-SACK: it had arrived
  at(355ms);
  user_sends(30000);
  expect_segments(10001, 18);
  expect_nothing();
  user_aborts();
  discard_sent();
}

TEST_F(TcpRecovery, after_a_timeout_sacked_bytes_are_not_sent_again) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(4000);
  expect_segments(1, 4, true);
  at(100ms);
  send(". 1:1(0) ack 1 <sack 1001:2001>");
  expect_at(112500us, ". 1:1001(1000) ack 1");  // the reordering window
  discard_sent();
  expect_at(312500us, ". 1:1001(1000) ack 1");  // the timeout
  EXPECT_EQ(stack().stats().timeouts.get(), 1u);
  at(362ms);
  send(". 1:1(0) ack 2001");
  expect_segments(2001, 2, true);
  send(". 1:1(0) ack 4001");
  expect_nothing();
}

TEST_F(TcpRecovery, after_a_timeout_newer_sacks_still_find_losses_at_once) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(4000);
  expect_segments(1, 4, true);
  expect_at(152ms, "P. 3001:4001(1000) ack 1");  // probe, lost too
  expect_at(352500us, ". 1:1001(1000) ack 1");   // timeout, 200 ms after the probe
  at(402ms);
  send(". 1:1(0) ack 1001");
  expect_segments(1001, 2);
  at(452ms);
  send(". 1:1(0) ack 1001 <sack 2001:3001>");  // what was sent again was lost again
  expect(". 1001:2001(1000)");
  discard_sent();
  send(". 1:1(0) ack 4001");
  EXPECT_EQ(stack().stats().timeouts.get(), 1u);
}

TEST_F(TcpRecovery, lies_in_sack_blocks_are_not_recorded) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(3000);
  expect_segments(1, 3, true);
  at(100ms);
  send(". 1:1(0) ack 1 <sack 5001:9001, sack 2001:1001, sack -500:1>");
  send(". 1:1(0) ack 1 <sack 3001:3002>");
  expect_nothing_until(150ms);
  send(". 1:1(0) ack 3001");
  expect_nothing();
}

TEST_F(TcpRecovery, a_receiver_that_takes_its_sack_back_gets_the_bytes_again) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(3000);
  expect_segments(1, 3, true);
  at(100ms);
  send(". 1:1(0) ack 1 <sack 1001:3001>");
  expect_at(112500us, ". 1:1001(1000) ack 1");
  at(160ms);
  send(". 1:1(0) ack 1001");  // but 1001 on was SACKed: it is gone
  expect(". 1001:2001(1000) ack 1");
  expect("P. 2001:3001(1000) ack 1");
  send(". 1:1(0) ack 3001");
}

TEST_F(TcpRecovery, the_window_comes_down_in_proportion_to_what_arrives) {
  config.congestion = l4::tcp::Algorithm::kNewReno;
  establish("<mss 1000, sackOK>", 60000, 100ms);
  user_sends(40000);
  expect_segments(1, 10);
  at(200ms);
  send(". 1:1(0) ack 1 <sack 1001:4001>");
  expect(". 1:1001(1000)");  // recovery: ssthresh 5000
  // One segment out for two that arrive, counting what came before.
  for (std::uint32_t i = 0; i < 6; ++i) {
    send(". 1:1(0) ack 1 <sack 1001:" + std::to_string(5001 + 1000 * i) + ">");
  }
  // 9 delivered of 10: half of that may go, of which the retransmission was one.
  expect_segments(10001, 4);
  expect_nothing();
  at(300ms);
  send(". 1:1(0) ack 14001");
  expect_segments(14001, 5);  // cwnd is ssthresh
  expect_nothing();
  user_aborts();
  discard_sent();
}

// ---- Reductions that are taken back

TEST_F(TcpRecovery, an_ack_that_echoes_an_older_timestamp_shows_that_nothing_was_lost) {
  establish("<mss 1000, sackOK, TS val 1 ecr 0>", 60000, 50ms);
  user_sends(9880);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const std::uint32_t at = 1 + 988 * i;
    expect((i == 9 ? "P. " : ". ") + std::to_string(at) + ":" + std::to_string(at + 988) + "(988)");
  }
  const std::uint32_t sent_at = last_timestamp();
  at(100ms);
  send(". 1:1(0) ack 1 <TS val 2 ecr " + std::to_string(sent_at) + ", sack 989:4000>");
  expect(". 1:989(988)");
  EXPECT_EQ(stack().stats().fast_retransmits.get(), 1u);
  at(110ms);
  send(". 1:1(0) ack 9881 <TS val 2 ecr " + std::to_string(sent_at) + ">");
  EXPECT_EQ(stack().stats().spurious_recoveries.get(), 1u);
  user_sends(30000);
  for (std::uint32_t i = 0; i < 10; ++i)
    expect(". " + std::to_string(9881 + 988 * i) + ":" + std::to_string(10869 + 988 * i) + "(988)");
  discard_sent();
  user_aborts();
  discard_sent();
}

TEST_F(TcpRecovery, duplicates_of_all_that_was_sent_again_show_that_nothing_was_lost) {
  config.congestion = l4::tcp::Algorithm::kNewReno;
  establish("<mss 1000, sackOK>", 60000, 100ms);
  user_sends(10000);
  expect_segments(1, 10, true);
  at(200ms);
  send(". 1:1(0) ack 1 <sack 1001:5001>");
  expect(". 1:1001(1000)");
  at(210ms);
  send(". 1:1(0) ack 10001");
  EXPECT_EQ(stack().stats().spurious_recoveries.get(), 0u);
  user_sends(20000);
  expect_segments(10001, 5);
  at(300ms);
  send(". 1:1(0) ack 10001 <sack 1:1001>");
  EXPECT_EQ(stack().stats().spurious_recoveries.get(), 1u);
  expect_segments(15001, 5);
  expect_nothing();
  user_aborts();
  discard_sent();
}

TEST_F(TcpRecovery, f_rto_sends_new_data_and_notices_that_the_timeout_was_early) {
  establish("<mss 1000>", 60000, 50ms);
  user_sends(20000);
  expect_segments(1, 10);
  expect_at(250ms, ". 1:1001(1000)");  // the path got slow
  at(260ms);
  send(". 1:1(0) ack 1001");
  expect_segments(10001, 2);  // RFC 5682, 2.1, step 2b
  send(". 1:1(0) ack 2001");  // of a segment that was not sent again
  EXPECT_EQ(stack().stats().spurious_recoveries.get(), 1u);
  send(". 1:1(0) ack 12001");
  expect_segments(12001, 8, true);
  EXPECT_EQ(stack().stats().retransmits.get(), 1u);
  send(". 1:1(0) ack 20001");
}

TEST_F(TcpRecovery, f_rto_goes_back_to_retransmission_when_duplicates_come) {
  establish("<mss 1000>", 60000, 50ms);
  user_sends(20000);
  expect_segments(1, 10);
  expect_at(250ms, ". 1:1001(1000)");
  at(260ms);
  send(". 1:1(0) ack 1001");
  expect_segments(10001, 2);
  send(". 1:1(0) ack 1001");
  expect_segments(1001, 3);
  EXPECT_EQ(stack().stats().spurious_recoveries.get(), 0u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpRecovery, a_recovery_that_begins_while_the_window_is_probed_does_not_stop_the_probes) {
  establish("<mss 1000, sackOK>", 60000, 50ms);
  user_sends(5000);
  expect_segments(1, 5, true);
  user_shuts_down();  // or the answers to probes start the timer
  expect("F. 5001:5001(0)");
  at(100ms);
  send(". 1:1(0) ack 1 win 1000 <sack 2001:5001>");
  expect(". 1:1001(1000)");
  send(". 1:1(0) ack 1 win 0");
  expect_nothing_until(310ms);                              // the timeout found no window
  send(". 1:1(0) ack 1 win 0 <sack 1:1001, sack 1:1001>");  // undone; 1001 is found lost again
  EXPECT_EQ(stack().stats().spurious_recoveries.get(), 1u);
  EXPECT_EQ(stack().stats().fast_retransmits.get(), 2u);
  expect_at(510ms, ". 1:2(1) ack 1");
  user_aborts();
  discard_sent();
}

// ---- The receiver's part

TEST_F(TcpRecovery, what_comes_twice_is_reported_once_by_d_sack) {
  establish("<mss 1000, sackOK>");
  send(". 1:1001(1000) ack 1");
  send(". 1001:2001(1000) ack 1");
  expect(". 1:1(0) ack 2001 <>");
  send(". 1:1001(1000) ack 1");
  expect(". 1:1(0) ack 2001 <sack 1:1001>");
  send(". 3001:4001(1000) ack 1");
  expect(". 1:1(0) ack 2001 <sack 3001:4001>");
  send(". 3001:4001(1000) ack 1");
  expect(". 1:1(0) ack 2001 <sack 3001:4001, sack 3001:4001>");
  send(". 1501:3001(1500) ack 1");  // half old
  expect(". 1:1(0) ack 4001 <sack 1501:2001>");
}

}  // namespace
}  // namespace sluice::test
