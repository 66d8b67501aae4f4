// SPDX-License-Identifier: Apache-2.0
// RFC 5961 (blind attacks), RFC 7323 (timestamps, PAWS), bounds.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpSecurity = TcpScript;

TEST_F(TcpSecurity, reset_is_believed_at_exactly_the_next_sequence_number) {
  establish();
  send("R 100:100(0)");  // in the window: challenge
  expect(". 1:1(0) ack 1");
  expect_events({});
  send("R 500000:500000(0)");  // outside: nothing
  expect_nothing();
  send("R 1:1(0)");
  expect_nothing();
  expect_events({"closed peer_reset"});
  EXPECT_EQ(stack().stats().resets_in.get(), 1u);
}

TEST_F(TcpSecurity, syn_on_a_connection_is_challenged_and_challenges_are_limited) {
  establish();
  send("S 100:100(0)");
  expect(". 1:1(0) ack 1");
  send("S 100:100(0)");
  send("R 100:100(0)");
  expect_nothing();
  at(100ms);
  send("S 0:0(0)");
  expect(". 1:1(0) ack 1");
  expect_events({});
}

TEST_F(TcpSecurity, data_with_an_acknowledgement_from_nowhere_is_refused) {
  establish();
  send("P. 1:5(4) ack 100000", "evil");
  expect(". 1:1(0) ack 1");
  at(1s);
  send("P. 1:5(4) ack -70000", "evil");
  expect(". 1:1(0) ack 1");
  send("P 1:5(4)", "evil");
  expect_nothing();
  expect_events({});
}

TEST_F(TcpSecurity, paws_refuses_an_old_timestamp_and_the_echo_follows_the_newest) {
  send("S 0:0(0) win 60000 <mss 1000, TS val 1000 ecr 0>");
  expect("S. 0:0(0) ack 1 <mss 1460, TS ecr 1000>");
  send(". 1:1(0) ack 1 <TS val 1001 ecr 0>");
  expect_events({"open"});
  send("P. 1:2(1) ack 1 <TS val 1005 ecr 0>", "a");
  expect_at(40ms, ". 1:1(0) ack 2 <TS ecr 1005>");
  send("P. 2:3(1) ack 1 <TS val 1004 ecr 0>", "b");
  expect(". 1:1(0) ack 2 <TS ecr 1005>");
  send("P. 2:3(1) ack 1", "b");  // RFC 7323, 3.2: must carry one
  expect_nothing();
  expect_events({"data a"});
  send("P. 2:3(1) ack 1 <TS val 1006 ecr 0>", "b");
  expect_events({"data b"});
  expect_at(80ms, ". 1:1(0) ack 3 <TS ecr 1006>");
}

TEST_F(TcpSecurity, a_blind_segment_with_a_timestamp_far_ahead_does_not_poison_paws) {
  establish("<mss 1000, TS val 1000 ecr 0>");
  send("P. 1:5(4) ack -70000 <TS val 2000000000 ecr 0>", "evil");
  expect(". 1:1(0) ack 1 <TS ecr 1000>");
  send("P. 1:2(1) ack 1 <TS val 1001 ecr 0>", "a");
  expect_events({"data a"});
}

TEST_F(TcpSecurity, after_24_days_of_silence_any_timestamp_is_taken) {
  config.keepalive_idle = 100h * 24;
  establish("<mss 1000, TS val 1000 ecr 0>");
  at(24h * 25);
  send("P. 1:2(1) ack 1 <TS val 5 ecr 0>", "a");
  expect_events({"data a"});
  at(24h * 25 + 1s);
  expect(". 1:1(0) ack 2 <TS ecr 5>");
}

TEST_F(TcpSecurity, timestamp_of_a_segment_above_a_gap_is_not_echoed) {
  establish("<mss 1000, TS val 1000 ecr 0>");
  send(". 11:21(10) ack 1 <TS val 1010 ecr 0>");
  expect(". 1:1(0) ack 1 <TS ecr 1000>");
  send(". 1:11(10) ack 1 <TS val 1005 ecr 0>");
  expect(". 1:1(0) ack 21 <TS ecr 1005>");
}

TEST_F(TcpSecurity, illegal_option_lengths_drop_the_segment) {
  establish();
  l4::tcp::Header h;
  h.source_port = remote.port;
  h.destination_port = local.port;
  h.seq = l4::tcp::SeqNum(peer_isn + 1);
  h.flags = l4::tcp::kAck;
  h.options.mss = 1000;
  net::Packet p;
  p.flow = {local, remote};
  p.protocol = 6;
  p.header_len = 24;
  Buf b = buffers().alloc();
  l4::tcp::write_header({b.append(24), 24}, h);
  b.data()[21] = 0;
  p.chain.push_back(std::move(b));
  stack().input({&p, 1}, now());
  EXPECT_EQ(drops(DropReason::kTcpBadSegment), 1u);
}

/// SYN cookies, RFC 4987: with a full backlog.
class TcpCookies : public TcpScript {
 protected:
  void fill_backlog() {
    config.max_backlog = 1;
    any_remote = true;  // the half-open connection goes on
    remote.port = 4999;
    send("S 0:0(0) win 60000 <mss 1000>");
    expect("S. 0:0(0) ack 1");
    remote.port = 5000;
    forget_peer();
  }
};

TEST_F(TcpCookies,
       a_full_backlog_answers_without_a_connection_and_keeps_all_options_of_a_client_with_timestamps) {
  fill_backlog();
  send("S 0:0(0) win 60000 <mss 1400, sackOK, TS val 7 ecr 0, wscale 9>");
  expect("S. 0:0(0) ack 1 <mss 1460, sackOK, TS, wscale 3>");
  const std::string echo = std::to_string(last_timestamp());
  EXPECT_EQ(stack().connections(), 1u);
  EXPECT_EQ(stack().stats().syn_cookies_sent.get(), 1u);
  at(100ms);
  send(". 1:1(0) ack 1 win 100 <TS val 8 ecr " + echo + ">");
  EXPECT_EQ(stack().connections(), 2u);
  EXPECT_EQ(stack().stats().syn_cookies_accepted.get(), 1u);
  expect_events({"open"});
  user_sends(3000);
  expect(". 1:1369(1368) ack 1 <TS>");  // 1380 of the table, less the option
  discard_sent();
  send(". 1001:2001(1000) ack 3001 win 100 <TS val 9 ecr 0>");
  expect(". 3001:3001(0) ack 1 <TS, sack 1001:2001>");
  user_aborts();
  discard_sent();
  at(31s);
  discard_sent();
}

TEST_F(TcpCookies, a_client_without_timestamps_keeps_its_mss_only) {
  fill_backlog();
  send("S 0:0(0) win 60000 <mss 536, sackOK, wscale 9>");
  expect("S. 0:0(0) ack 1 <mss 1460>");
  send("P. 1:6(5) ack 1 win 60000", "hello");  // the bare ACK was lost: data proves as well
  expect_events({"open", "data hello"});
  user_sends(600);
  expect(". 1:537(536) ack 6");
  expect("P. 537:601(64) ack 6");
  user_aborts();
  discard_sent();
  at(31s);
  discard_sent();
}

TEST_F(TcpCookies, the_round_trip_is_measured_by_the_timestamp_and_the_window_grows) {
  config.receive_buffer = 4000;
  config.max_receive_buffer = 10000;
  fill_backlog();
  send("S 0:0(0) win 60000 <mss 1400, sackOK, TS val 7 ecr 0, wscale 9>");
  expect("S. 0:0(0) ack 1");
  const std::string ts = "<TS val 8 ecr " + std::to_string(last_timestamp()) + ">";
  at(50ms);
  send(". 1:1(0) ack 1 win 100 " + ts);
  for (std::uint32_t seq = 1; seq < 9000; seq += 1000) {
    send(". " + std::to_string(seq) + ":" + std::to_string(seq + 1000) + "(1000) ack 1 win 100 " + ts);
    if (seq % 3000 == 2001) at(now() - started() + 100ms);
  }
  EXPECT_GT(last_window(), 4000u);
  discard_sent();
  user_aborts();
  discard_sent();
  at(31s);
  discard_sent();
}

TEST_F(TcpCookies, too_many_connections_are_refused_with_the_syn_and_with_the_cookie) {
  fill_backlog();
  refusing = DropReason::kTcpSourceRate;
  send("S 0:0(0) win 60000 <mss 1000>");
  expect_nothing();
  refusing.reset();
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  refusing = DropReason::kTcpSourceRate;
  send(". 1:1(0) ack 1");
  expect_nothing();
  EXPECT_EQ(stack().connections(), 1u);
  EXPECT_EQ(drops(DropReason::kTcpSourceRate), 2u);
  refusing.reset();
  send(". 1:1(0) ack 1");
  EXPECT_EQ(stack().connections(), 2u);
  expect_events({"open"});
  at(31s);
  discard_sent();
}

TEST_F(TcpCookies, a_forged_or_old_cookie_is_refused) {
  fill_backlog();
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 2");
  send(". 2:2(0) ack 1");
  send(". 1:1(0) ack 257");
  EXPECT_EQ(stack().connections(), 1u);
  EXPECT_EQ(stack().stats().syn_cookies_accepted.get(), 0u);
  at(31s);
  discard_sent();
  at(260s);
  send(". 1:1(0) ack 1");
  expect("R 1:1(0)");  // nor are cookies believed any more when none was sent lately
  EXPECT_EQ(stack().stats().syn_cookies_accepted.get(), 0u);
}

TEST_F(TcpSecurity, connection_limit_refuses_silently_and_counts) {
  config.max_connections = 1;
  establish();
  remote.port = 5001;
  forget_peer();
  send("S 0:0(0) win 60000 <mss 1000>");
  expect_nothing();
  EXPECT_EQ(drops(DropReason::kTcpConnectionLimit), 1u);
  EXPECT_EQ(connect().reason, l4::CloseReason::kNoResources);
}

TEST_F(TcpSecurity, reassembly_is_bounded_and_says_so) {
  config.receive_buffer = 60000;
  establish("<mss 1000>");
  for (int i = 0; i < 200; ++i) {
    const int at = 101 + 20 * i;
    send(". " + std::to_string(at) + ":" + std::to_string(at + 10) + "(10) ack 1");
    expect(". 1:1(0) ack 1");
  }
  EXPECT_GT(drops(DropReason::kTcpReassemblyFull), 0u);
  EXPECT_GE(free_buffers() + 64, 8191u + 16383u) << "more than 64 buffers held";
}

TEST_F(TcpSecurity, tiny_segments_close_the_window_long_before_their_bytes_do) {
  config.receive_buffer = 64 * 1024;
  establish("<mss 1000>");
  user().consumes = false;
  std::uint32_t seq = 1;
  for (; seq < 400; ++seq) send("P. " + std::to_string(seq) + ":" + std::to_string(seq + 1) + "(1) ack 1");
  // 399 bytes; what is advertised beyond is what was promised before, and what is held is bounded all the
  // same.
  EXPECT_LE(8191u + 16383u - free_buffers(), 400u);
  EXPECT_GT(drops(DropReason::kNoMemory), 0u);
  at(1s);
  user_aborts();
  discard_sent();
}

TEST_F(TcpSecurity, tiny_segments_in_one_batch_share_a_buffer) {
  establish("<mss 1000>");
  user().consumes = false;
  std::vector<std::string> lines;
  for (int i = 1; i <= 64; ++i)
    lines.push_back("P. " + std::to_string(i) + ":" + std::to_string(i + 1) + "(1) ack 1");
  send_batch(lines);
  expect(". 1:1(0) ack 65");
  EXPECT_EQ(user().received.size(), 64u);
  EXPECT_EQ(user().log.size(), 1u);
  user().log.clear();
}

TEST_F(TcpSecurity, ports_of_connections_that_we_open_differ_and_run_out_with_a_reason) {
  ports = {20000, 20002};
  for (int i = 0; i < 3; ++i) {
    const auto r = connect();
    ASSERT_NE(r.stream, nullptr);
    EXPECT_GE(local.port, 20000);
    EXPECT_LE(local.port, 20002);
    forget_peer();
    discard_sent();
  }
  EXPECT_EQ(stack().connections(), 3u);
  const auto r = stack().connect(remote, nullptr, now());
  EXPECT_EQ(r.stream, nullptr);
  EXPECT_EQ(r.reason, l4::CloseReason::kNoResources);
}

TEST_F(TcpSecurity, connect_without_a_route_says_unreachable) {
  path_mtu = 0;
  EXPECT_EQ(connect().reason, l4::CloseReason::kUnreachable);
}

}  // namespace
}  // namespace sluice::test
