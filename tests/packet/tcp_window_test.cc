// SPDX-License-Identifier: Apache-2.0
// Flow control: RFC 9293, 3.8.6; RFC 7323, 2. Keepalive: RFC 9293, 3.8.4.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpWindow = TcpScript;

TEST_F(TcpWindow, what_the_user_does_not_consume_closes_the_window_and_consuming_opens_it) {
  config.receive_buffer = 4000;
  establish();
  user().consumes = false;
  send(". 1:1001(1000) ack 1");
  send(". 1001:2001(1000) ack 1");
  expect(". 1:1(0) ack 2001 win 2000");
  send(". 2001:3001(1000) ack 1");
  send(". 3001:4001(1000) ack 1");
  expect(". 1:1(0) ack 4001 win 0");
  send(". 4001:4002(1) ack 1");  // probe
  expect(". 1:1(0) ack 4001 win 0");
  stream().consumed(500, now());
  flush();
  expect_nothing();  // too little for a segment: a silly window
  stream().consumed(2500, now());
  flush();
  expect(". 1:1(0) ack 4001 win 3000");
}

TEST_F(TcpWindow, data_beyond_the_window_is_cut_off) {
  config.receive_buffer = 1000;
  establish();
  user().consumes = false;
  send(". 1:1501(1500) ack 1");
  expect(". 1:1(0) ack 1001 win 0");
  EXPECT_EQ(user().received.size(), 1000u);
}

TEST_F(TcpWindow, peers_window_is_scaled_after_the_handshake_only) {
  establish("<mss 1000, wscale 2>", 500);  // 2000 bytes
  user_sends(5000);
  expect(". 1:1001(1000) ack 1");
  expect(". 1001:2001(1000) ack 1");
  expect_nothing();
  send(". 1:1(0) ack 2001 win 250");
  expect(". 2001:3001(1000) ack 1");
  send(". 1:1(0) ack 3001 win 15000");
  expect(". 3001:4001(1000) ack 1");
  expect("P. 4001:5001(1000) ack 1");
  send(". 1:1(0) ack 5001 win 15000");
}

TEST_F(TcpWindow, closed_window_is_probed_with_backoff_for_as_long_as_the_peer_answers) {
  config.user_timeout = 2s;
  establish("<mss 1000>", 1000);
  user_sends(3000);
  expect(". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(200ms, ". 1001:1002(1) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(600ms, ". 1001:1002(1) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(1400ms, ". 1001:1002(1) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(3000ms, ". 1001:1002(1) ack 1");
  send(". 1:1(0) ack 1001 win 3000");
  expect(". 1001:1002(1) ack 1");
  expect(". 1002:2002(1000) ack 1");
  expect("P. 2002:3001(999) ack 1");
  send(". 1:1(0) ack 3001 win 3000");
  expect_nothing();
}

TEST_F(TcpWindow, a_probe_that_is_accepted_counts_as_sent) {
  establish("<mss 1000>", 1000);
  user_sends(1500);
  expect(". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(200ms, ". 1001:1002(1) ack 1");
  send(". 1:1(0) ack 1002 win 2000");
  expect("P. 1002:1501(499) ack 1");
  send(". 1:1(0) ack 1501 win 2000");
}

TEST_F(TcpWindow, the_answer_to_a_repeated_probe_is_no_round_trip_and_ends_the_back_off) {
  establish("<mss 1000>", 1000);
  user_sends(1500);
  expect(". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(200ms, ". 1001:1002(1) ack 1");
  expect_at(600ms, ". 1001:1002(1) ack 1");
  at(650ms);
  send(". 1:1(0) ack 1002 win 2000");  // to either (Karn)
  expect("P. 1002:1501(499) ack 1");
  expect_at(850ms, "P. 1002:1501(499) ack 1");
  send(". 1:1(0) ack 1501 win 2000");
}

TEST_F(TcpWindow, a_lost_fin_is_sent_again_into_a_closed_window) {
  establish("<mss 1000>", 1000);
  user_sends(1000);
  expect("P. 1:1001(1000) ack 1");
  user_shuts_down();
  expect("F. 1001:1001(0) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(200ms, "F. 1001:1001(0) ack 1");
  expect_at(600ms, "F. 1001:1001(0) ack 1");
  send("F. 1:1(0) ack 1002 win 0");
  expect(". 1002:1002(0) ack 2");
}

TEST_F(TcpWindow, probes_that_nobody_answers_end_the_connection) {
  config.user_timeout = 2s;
  establish("<mss 1000>", 1000);
  user_sends(1500);
  expect(". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(200ms, ". 1001:1002(1) ack 1");
  expect_at(600ms, ". 1001:1002(1) ack 1");
  expect_at(1400ms, ". 1001:1002(1) ack 1");
  expect_at(2000ms, "R. 1001:1001(0) ack 1");
  expect_events({"closed timeout"});
}

TEST_F(TcpWindow, a_peer_cannot_hold_a_connection_open_with_a_closed_window_after_shutdown) {
  config.user_timeout = 2s;
  establish("<mss 1000>", 1000);
  user_sends(1500);
  user_shuts_down();
  expect(". 1:1001(1000) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  for (int ms : {200, 600, 1400}) {
    expect_at(std::chrono::milliseconds(ms), ". 1001:1002(1) ack 1");
    send(". 1:1(0) ack 1001 win 0");
  }
  expect_at(2s, "R. 1001:1001(0) ack 1");
  expect_events({"closed timeout"});
}

TEST_F(TcpWindow, a_silly_window_is_not_filled) {
  establish("<mss 1000>", 2000);
  user_sends(2500);
  expect(". 1:1001(1000) ack 1");
  expect(". 1001:2001(1000) ack 1");
  send(". 1:1(0) ack 2001 win 100");
  expect_nothing();  // 100 of 500: waits for more, or the probe
  send(". 1:1(0) ack 2001 win 500");
  expect("P. 2001:2501(500) ack 1");
  send(". 1:1(0) ack 2501 win 500");
}

TEST_F(TcpWindow, a_shrunken_window_does_not_stall_what_was_sent) {
  establish("<mss 1000>", 2000);
  user_sends(2000);
  expect(". 1:1001(1000) ack 1");
  expect("P. 1001:2001(1000) ack 1");
  send(". 1:1(0) ack 1001 win 0");
  expect_at(600ms, ". 1001:1002(1) ack 1");  // the RTO at 200 ms found no window and turned into a probe
  send(". 1:1(0) ack 1001 win 2000");
  expect("P. 1001:2001(1000) ack 1");
  send(". 1:1(0) ack 2001 win 2000");
}

TEST_F(TcpWindow, writable_comes_when_half_of_the_send_buffer_has_drained) {
  config.send_buffer = 4000;
  establish();
  user_sends(4000);
  EXPECT_EQ(stream().send_space(), 0u);
  for (int i = 0; i < 3; ++i)
    expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) + "(1000)");
  expect("P. 3001:4001(1000)");
  send(". 1:1(0) ack 1001");
  expect_events({});
  send(". 1:1(0) ack 2001");
  expect_events({"writable"});
  send(". 1:1(0) ack 4001");
  expect_events({});
  EXPECT_EQ(stream().unsent_or_unacked(), 0u);
}

TEST_F(TcpWindow, the_window_grows_while_a_full_one_comes_through_each_round_trip_and_the_user_keeps_up) {
  config.receive_buffer = 4000;
  config.max_receive_buffer = 10000;
  establish("<mss 1000>", 60000, 50ms);
  std::uint32_t seq = 1;
  const auto window = [&] {
    for (int i = 0; i < 3; ++i, seq += 1000)
      send(". " + std::to_string(seq) + ":" + std::to_string(seq + 1000) + "(1000) ack 1");
    at(now() - started() + 60ms);
    const std::uint32_t w = last_window();
    discard_sent();
    return w;
  };
  EXPECT_LE(window(), 4000u);
  EXPECT_GT(window(), 4000u);
  EXPECT_LE(window(), 8000u) << "3000 of 8000 is not half";
}

TEST_F(TcpWindow, the_send_buffer_is_twice_the_congestion_window_up_to_its_bound) {
  config.send_buffer = 4000;
  config.max_send_buffer = 25000;
  establish("<mss 1000>", 60000, 50ms);
  EXPECT_EQ(stream().send_space(), 4000u);
  user_sends(10000);
  at(100ms);
  send(". 1:1(0) ack 10001");  // the window is 18000 now
  EXPECT_EQ(stream().send_space(), 25000u);
  discard_sent();
  user_aborts();
  discard_sent();
}

TEST_F(TcpWindow, grown_buffers_are_as_small_as_before_after_a_pause) {
  config.send_buffer = config.receive_buffer = 4000;
  config.max_send_buffer = config.max_receive_buffer = 25000;
  establish("<mss 1000>", 60000, 50ms);
  user_sends(10000);
  at(100ms);
  send(". 1:1(0) ack 10001");
  EXPECT_EQ(stream().send_space(), 25000u);
  std::uint32_t seq = 1;
  for (; seq < 12000; seq += 1000) {
    send(". " + std::to_string(seq) + ":" + std::to_string(seq + 1000) + "(1000) ack 10001");
    if (seq % 3000 == 2001) at(now() - started() + 60ms);
  }
  const std::uint32_t grown = last_window();
  EXPECT_GT(grown, 4000u);
  discard_sent();
  at(30s);
  for (const std::uint32_t end = seq + 2 * grown; seq < end; seq += 1000)
    send(". " + std::to_string(seq) + ":" + std::to_string(seq + 1000) + "(1000) ack 10001");
  EXPECT_LE(last_window(), 4000u);
  discard_sent();
  user_sends(1000);
  discard_sent();
  EXPECT_EQ(stream().send_space(), 3000u);
  user_aborts();
  discard_sent();
}

TEST_F(TcpWindow, a_user_whose_data_lies_above_the_shrunken_bound_hears_when_there_is_room) {
  config.send_buffer = 4000;
  config.max_send_buffer = 25000;
  establish("<mss 1000>", 60000, 50ms);
  user_sends(10000);
  at(100ms);
  send(". 1:1(0) ack 10001");
  discard_sent();
  expect_events({"writable"});
  at(5s);
  user_sends(9000);
  discard_sent();
  EXPECT_EQ(stream().send_space(), 0u);
  send(". 1:1(0) ack 19001");
  expect_events({"writable"});
  EXPECT_EQ(stream().send_space(), 4000u);
}

TEST_F(TcpWindow, memory_and_data_of_connections_are_counted) {
  stack();
  flush();
  const auto& stats = stack().stats();
  const std::uint64_t empty = stats.memory_bytes.get();
  establish("<mss 1000>");
  user().consumes = false;
  user_sends(3000);
  send(". 1:1001(1000) ack 1");
  send(". 2001:2501(500) ack 1");
  discard_sent();
  EXPECT_EQ(stats.buffered_bytes.get(), 3000u + 1000 + 500);
  const std::uint64_t busy = stats.memory_bytes.get() - empty;
  EXPECT_GT(busy, 500u);
  EXPECT_LT(busy, 2000u);
  user_aborts();
  discard_sent();
  EXPECT_EQ(stats.buffered_bytes.get(), 0u);
  EXPECT_EQ(stats.memory_bytes.get(), empty);
}

TEST_F(TcpWindow, buffers_do_not_grow_while_most_packet_memory_is_in_use) {
  config.send_buffer = config.receive_buffer = 4000;
  config.max_send_buffer = config.max_receive_buffer = 25000;
  establish("<mss 1000>", 60000, 50ms);
  std::vector<Buf> others;
  for (unsigned n = buffers().available() * 3 / 4; n > 0; --n) others.push_back(buffers().alloc());
  for (std::uint32_t seq = 1; seq < 9000; seq += 1000) {
    send(". " + std::to_string(seq) + ":" + std::to_string(seq + 1000) + "(1000) ack 1");
    if (seq % 3000 == 2001) at(now() - started() + 60ms);
  }
  EXPECT_LE(last_window(), 4000u);
  discard_sent();
  user_sends(10000);
  at(now() - started() + 50ms);
  send(". 9001:9001(0) ack 10001");
  EXPECT_EQ(stream().send_space(), 4000u);
  discard_sent();
  user_aborts();
  discard_sent();
}

TEST_F(TcpWindow, keepalive_asks_an_idle_peer_and_gives_up_after_the_last_probe) {
  config.keepalive_idle = 10s;
  config.keepalive_interval = 2s;
  config.keepalive_probes = 2;
  establish();
  expect_at(10s, ". 0:0(0) ack 1");
  send(". 1:1(0) ack 1");
  expect_at(20s, ". 0:0(0) ack 1");
  expect_at(22s, ". 0:0(0) ack 1");
  expect_at(24s, "R. 1:1(0) ack 1");
  expect_events({"closed timeout"});
}

TEST_F(TcpWindow, keepalive_of_the_peer_is_answered) {
  establish();
  send(". 0:0(0) ack 1");
  expect(". 1:1(0) ack 1");
  at(1s);
  send(". 0:1(1) ack 1", "x");  // with a byte of garbage (RFC 9293, 3.8.4)
  expect(". 1:1(0) ack 1");
  EXPECT_EQ(user().received, "");
}

}  // namespace
}  // namespace sluice::test
