// SPDX-License-Identifier: Apache-2.0
// Peers that lie, flood or hold on. Each bound has an answer, worst offender first, and a counter.
#include <random>

#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

class TcpAttack : public TcpScript {
 protected:
  std::string data(std::uint32_t seq, std::uint32_t n) {
    return ". " + std::to_string(seq) + ":" + std::to_string(seq + n) + "(" + std::to_string(n) + ") ack 1";
  }
  /// Another client, up to ESTABLISHED with this window, to whom the user has written `bytes`.
  void next_client_with(unsigned window, std::size_t bytes) {
    any_remote = true;
    ++remote.port;
    forget_peer();
    send("S 0:0(0) win 60000 <mss 1000>");
    discard_sent();  // the SYN,ACK, and perhaps the RST of whoever made room
    send(". 1:1(0) ack 1 win " + std::to_string(window));
    expect_events({"open"});
    if (bytes > 0) user_sends(bytes);
    discard_sent();
  }
  void close_all() {
    at(now() - started() + 10min);
    discard_sent();
  }
};

// ---- Floods

TEST_F(TcpAttack, a_flood_of_acks_is_answered_ten_times_a_second_and_moves_nothing) {
  establish();
  std::mt19937 random(1);
  std::size_t answers = 0;
  for (int i = 0; i < 5000; ++i) {  // half a second
    if (i % 10 == 0) at(i * 100us);
    const std::string seq = std::to_string(random() % 2'000'000'000);
    send(". " + seq + ":" + seq + "(0) ack " + std::to_string(random() % 2'000'000'000));
    answers += sent_count();
    discard_sent();
  }
  EXPECT_LE(answers, 6u);
  user_sends("still here");
  expect("P. 1:11(10) ack 1");
  send(". 1:1(0) ack 11");
  expect_events({});
}

TEST_F(TcpAttack, acks_of_no_connection_get_resets_up_to_a_bound_a_second) {
  config.max_resets = 100;
  any_remote = true;
  for (std::uint16_t port = 1024; port < 2024; ++port) {
    remote.port = port;
    send(". 5:5(0) ack 7");
  }
  EXPECT_EQ(sent_count(), 100u);
  EXPECT_EQ(stack().stats().resets_suppressed.get(), 900u);
  EXPECT_EQ(drops(DropReason::kTcpNoConnection), 1000u);
  discard_sent();
  at(1s);
  send(". 5:5(0) ack 7");
  EXPECT_EQ(sent_count(), 1u);
  discard_sent();
}

TEST_F(TcpAttack, resets_all_over_the_window_end_nothing_and_are_answered_ten_times_a_second) {
  establish();
  std::size_t answers = 0;
  for (std::uint32_t seq = 2; seq < 65000; seq += 13) {
    send("R " + std::to_string(seq) + ":" + std::to_string(seq) + "(0)");
    answers += sent_count();
    discard_sent();
  }
  EXPECT_EQ(answers, 1u);
  expect_events({});
  send("P. 1:2(1) ack 1", "x");
  expect_events({"data x"});
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, syns_all_over_the_window_end_nothing) {
  establish();
  for (std::uint32_t seq = 0; seq < 65000; seq += 13)
    send("S " + std::to_string(seq) + ":" + std::to_string(seq) + "(0)");
  expect(". 1:1(0) ack 1");
  expect_nothing();
  expect_events({});
}

TEST_F(TcpAttack, text_with_a_guessed_acknowledgement_is_not_taken) {
  establish();
  user_sends("hello");
  expect("P. 1:6(5) ack 1");
  for (const char* ack : {"7", "60007", "-60001", "2000000000", "-2000000000"}) {
    at(now() - started() + 10ms);
    send(std::string("P. 1:5(4) ack ") + ack, "evil");
  }
  discard_sent();
  expect_events({});
  send("P. 1:5(4) ack 6", "good");
  expect_events({"data good"});
  user_aborts();
  discard_sent();
}

// ---- Sockstress

TEST_F(TcpAttack,
       a_window_that_stays_shut_ends_the_connection_after_a_while_however_well_probes_are_answered) {
  config.persist_limit = 20s;
  establish("<mss 1000>", 1000);
  user_sends(3000);
  discard_sent();
  for (int i = 0; i < 300 && stack().connections() > 0; ++i) {
    send(". 1:1(0) ack 1001 win 0");
    at(now() - started() + 100ms);
    discard_sent();
  }
  expect_events({"closed timeout"});
  EXPECT_EQ(stack().stats().stalled_closed.get(), 1u);
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpAttack, a_window_of_a_few_bytes_is_no_way_around_that) {
  config.persist_limit = 20s;
  establish("<mss 1000>", 4);
  user_sends(3000);
  for (std::uint32_t acked = 5; acked < 1000 && stack().connections() > 0; acked += 4) {
    discard_sent();
    send(". 1:1(0) ack " + std::to_string(acked) + " win 4");
    at(now() - started() + 200ms);
  }
  discard_sent();
  expect_events({"closed timeout"});
  EXPECT_EQ(stack().stats().stalled_closed.get(), 1u);
}

TEST_F(TcpAttack, a_reader_that_is_only_slow_is_not_ended) {
  config.persist_limit = 20s;
  establish("<mss 1000>", 1000);
  user_sends(100'000);
  for (std::uint32_t acked = 1001; acked < 60'000; acked += 1000) {  // a segment each ten seconds
    send(". 1:1(0) ack " + std::to_string(acked) + " win 0");
    at(now() - started() + 9s);
    send(". 1:1(0) ack " + std::to_string(acked) + " win 1000");
    at(now() - started() + 1s);
    discard_sent();
  }
  expect_events({});
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, nor_is_one_whose_buffer_is_smaller_than_its_jumbo_frames) {
  config.persist_limit = 2s;
  path_mtu = 9000;
  establish("<mss 8960>", 3000);
  user_sends(100'000);
  for (std::uint32_t acked = 3001; acked < 90'000; acked += 3000) {
    ASSERT_EQ(last_end(), acked);
    discard_sent();
    at(now() - started() + 100ms);
    send(". 1:1(0) ack " + std::to_string(acked) + " win 3000");
  }
  expect_events({});
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, but_one_is_whose_window_stays_too_small_for_anything_but_probes) {
  config.persist_limit = 2s;
  path_mtu = 9000;
  establish("<mss 8960>", 60'000);
  user_sends(100'000);
  const std::string shrunk = ". 1:1(0) ack " + std::to_string(last_end()) + " win 2000";
  for (int i = 0; i < 300 && stack().connections() > 0; ++i) {
    send(shrunk);
    at(now() - started() + 100ms);
    discard_sent();
  }
  expect_events({"closed timeout"});
  discard_sent();
}

TEST_F(TcpAttack, when_connections_run_out_the_stalled_one_that_holds_most_makes_room) {
  config.max_connections = 4;
  next_client_with(60000, 0);
  next_client_with(0, 1000);
  RecordingUser* small = &user();
  next_client_with(0, 50'000);
  RecordingUser* large = &user();
  next_client_with(0, 2000);
  at(10s);
  discard_sent();
  next_client_with(60000, 0);
  EXPECT_EQ(large->log, std::vector<std::string>{"closed timeout"});
  EXPECT_EQ(small->log.size(), 0u);
  EXPECT_EQ(stack().stats().stalled_evicted.get(), 1u);
  EXPECT_EQ(stack().connections(), 4u);
  EXPECT_EQ(drops(DropReason::kTcpConnectionLimit), 0u);
  close_all();
}

TEST_F(TcpAttack, one_that_has_just_stalled_is_left_alone) {
  config.max_connections = 1;
  next_client_with(0, 1000);
  at(1s);
  discard_sent();
  ++remote.port;
  forget_peer();
  send("S 0:0(0) win 60000 <mss 1000>");
  EXPECT_EQ(drops(DropReason::kTcpConnectionLimit), 1u);
  EXPECT_EQ(stack().stats().stalled_evicted.get(), 0u);
  close_all();
}

TEST_F(TcpAttack, when_packet_buffers_run_out_stalled_connections_go_one_by_one_until_there_are_some) {
  for (int i = 0; i < 4; ++i) next_client_with(0, 100'000);
  at(10s);
  discard_sent();
  EXPECT_EQ(stack().stats().buffered_bytes.get(), 400'000u);
  std::vector<Buf> others;
  while (buffers().available() > 300) others.push_back(buffers().alloc());
  for (int i = 0; i < 10; ++i) at(now() - started() + 1ms);
  flush();
  discard_sent();
  EXPECT_GE(stack().stats().stalled_evicted.get(), 1u);
  EXPECT_LT(stack().stats().buffered_bytes.get(), 400'000u);
  others.clear();
  close_all();
}

TEST_F(TcpAttack, where_buffers_are_scarce_gaps_hold_back_little) {
  establish("<mss 1000>");
  std::vector<Buf> others;
  while (buffers().available() > 300) others.push_back(buffers().alloc());
  at(10ms);
  for (std::uint32_t i = 0; i < 40; ++i) send(data(2001 + 1000 * i, 1000));
  discard_sent();
  EXPECT_GE(drops(DropReason::kTcpReassemblyFull), 30u);
  others.clear();
  user_aborts();
  discard_sent();
}

// ---- Lies

TEST_F(TcpAttack, an_acknowledgement_of_what_was_not_sent_grows_no_window_and_confirms_nothing) {
  establish();
  user_sends(40'000);
  discard_sent();  // ten segments
  for (int i = 0; i < 20; ++i) {
    at(now() - started() + 1ms);
    send(". 1:1(0) ack " + std::to_string(10'001 + 1000 * (i + 1)));
  }
  expect(". 10001:10001(0) ack 1");  // one challenge
  expect_nothing();
  EXPECT_EQ(stream().unsent_or_unacked(), 40'000u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, an_acknowledgement_cut_into_pieces_grows_the_window_no_more_than_a_whole_one) {
  establish("<mss 1000>", 60000, 10ms);
  user_sends(60'000);
  discard_sent();
  at(20ms);
  for (std::uint32_t acked = 11; acked <= 1001; acked += 10) send(". 1:1(0) ack " + std::to_string(acked));
  EXPECT_LE(sent_count(), 2u);  // one for what has left, one for the growth
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, sack_blocks_of_what_was_not_sent_or_upside_down_are_not_believed) {
  establish("<mss 1000, sackOK>", 60000, 10ms);
  user_sends(40'000);
  discard_sent();
  at(20ms);
  send(". 1:1(0) ack 1 <sack 10001:20001>");
  send(". 1:1(0) ack 1 <sack 5001:2001>");
  send(". 1:1(0) ack 1 <sack 5001:20001>");
  send(". 1:1(0) ack 1 <sack -5000:5001>");
  expect_nothing();
  EXPECT_EQ(stack().stats().fast_retransmits.get(), 0u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, one_who_sacks_all_and_acknowledges_nothing_gets_no_more_than_the_window_and_is_given_up) {
  config.user_timeout = 5s;
  establish("<mss 1000, sackOK>", 60000, 10ms);
  user_sends(200'000);
  std::uint32_t sent = 0;
  for (int i = 0; i < 1000 && stack().connections() > 0; ++i) {
    if (sent_count() > 0) sent = std::max(sent, last_end());
    discard_sent();
    at(now() - started() + 10ms);
    if (sent > 1001) send(". 1:1(0) ack 1 <sack 1001:" + std::to_string(sent) + ">");
  }
  discard_sent();
  EXPECT_LE(sent, 60'001u) << "beyond the peer's window";
  expect_events({"closed timeout"});
}

TEST_F(TcpAttack, echoed_timestamps_from_the_future_or_long_ago_make_no_round_trip) {
  establish("<mss 1000, TS val 1000 ecr 0>", 60000, 10ms);
  user_sends(1000);
  expect(". 1:989(988)");
  expect("P. 989:1001(12)");
  const std::uint32_t sent_at = last_timestamp();
  at(20ms);
  send(". 1:1(0) ack 989 <TS val 1001 ecr " + std::to_string(sent_at + 100'000) + ">");
  send(". 1:1(0) ack 1001 <TS val 1002 ecr " + std::to_string(sent_at - 290'000) + ">");
  user_sends("x");
  expect("P. 1001:1002(1)");
  expect_at(220ms, "P. 1001:1002(1)");  // the least RTO
  send(". 1:1(0) ack 1002 <TS val 1003 ecr 0>");
}

TEST_F(TcpAttack, duplicate_reports_without_end_do_not_make_recovery_wait_for_ever) {
  establish("<mss 1000, sackOK>", 60000, 10ms);
  for (int i = 0; i < 300; ++i) {
    user_sends(1000);
    at(now() - started() + 10ms);
    const std::uint32_t end = last_end();
    discard_sent();
    send(". 1:1(0) ack " + std::to_string(end) + " <sack " + std::to_string(end - 1000) + ":" +
         std::to_string(end) + ">");
  }
  user_sends(5000);
  const std::uint32_t begin = last_end() - 5000;
  discard_sent();
  at(now() - started() + 10ms);
  send(". 1:1(0) ack " + std::to_string(begin) + " <sack " + std::to_string(begin + 1000) + ":" +
       std::to_string(begin + 5000) + ">");
  at(now() - started() + 50ms);  // the reordering window is bounded by a round trip (RFC 8985, 6.2)
  EXPECT_GE(sent_count(), 1u);
  user_aborts();
  discard_sent();
}

// ---- Overlaps

TEST_F(TcpAttack, where_segments_overlap_what_came_first_stays) {
  establish("<mss 1000, sackOK>");
  send("P. 6:11(5) ack 1", "FIRST");
  send("P. 4:14(10) ack 1", "xxSECONDyy");
  send("P. 1:9(8) ack 1", "abcdefgh");
  discard_sent();
  EXPECT_EQ(user().received, "abcxxFIRSTDyy");
  user_aborts();
  discard_sent();
}

TEST_F(TcpAttack, overlapping_segments_in_random_order_deliver_each_byte_once_and_hold_little) {
  establish("<mss 1000, sackOK>");
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    const std::uint32_t at = 1 + random() % 5000, n = 1 + random() % 200;
    send(data(at, n));
    discard_sent();
  }
  for (std::uint32_t at = 1; at < 5300; at += 100) send(data(at, 100));
  discard_sent();
  std::string all;
  for (std::uint32_t i = 0; i < user().received.size(); ++i) all += static_cast<char>('a' + i % 26);
  EXPECT_GE(all.size(), 5300u);
  EXPECT_EQ(user().received, all);
  user_aborts();
  discard_sent();
}

}  // namespace
}  // namespace sluice::test
