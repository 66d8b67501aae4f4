// SPDX-License-Identifier: Apache-2.0
// The contract of l4/stream.h, and IPv6.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpUser = TcpScript;

/// Aborts the stream from within the callback that writes this line.
void abort_in(RecordingUser& user, const std::string& when) {
  user.then = [&user, when](const std::string& line, Instant t) {
    if (line.starts_with(when) && user.stream != nullptr) std::exchange(user.stream, nullptr)->abort(t);
  };
}

TEST_F(TcpUser, abort_within_on_data_ends_it_with_a_reset_and_nothing_more_is_told) {
  establish();
  abort_in(user(), "data");
  send("FP. 1:4(3) ack 1", "abc");
  expect("R. 1:1(0) ack 5");
  expect_events({"data abc"});
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpUser, abort_within_on_peer_closed_comes_before_on_closed) {
  establish();
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  abort_in(user(), "peer closed");
  send("F. 1:1(0) ack 2");
  expect(". 2:2(0) ack 2");
  expect_events({"peer closed"});
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpUser, abort_within_on_open) {
  connect();
  expect("S 0:0(0)");
  abort_in(user(), "open");
  send("S. 0:0(0) ack 1 win 60000 <mss 1000>");
  expect("R. 1:1(0) ack 1");
  expect_events({"open"});
}

TEST_F(TcpUser, abort_of_another_stream_that_has_events_in_the_same_batch) {
  establish();
  RecordingUser& first = user();
  const std::uint16_t first_port = remote.port;
  remote.port = 5001;
  send("S 0:0(0) win 60000 <mss 1000>");
  const auto second_iss = last_sent_seq();
  discard_sent();
  net::Packet ack = packet_with_ack(second_iss + 1, 1, "");
  stack().input({&ack, 1}, now());
  RecordingUser& second = user();
  ASSERT_NE(&first, &second);
  first.then = [&](const std::string& line, Instant t) {
    if (line.starts_with("data")) std::exchange(second.stream, nullptr)->abort(t);
  };
  second.log.clear();
  std::vector<net::Packet> batch;
  batch.push_back(packet_with_ack(second_iss + 1, 1, "two"));
  remote.port = first_port;
  batch.push_back(packet_with_ack(first_iss() + 1, 1, "one"));
  std::swap(batch[0], batch[1]);
  stack().input(batch, now());
  EXPECT_EQ(first.log, (std::vector<std::string>{"data one"}));
  EXPECT_EQ(second.log, (std::vector<std::string>{}));
  any_remote = true;
  flush();
  discard_sent();
  EXPECT_EQ(stack().connections(), 1u);
}

TEST_F(TcpUser, abort_while_connecting_sends_nothing) {
  connect();
  expect("S 0:0(0)");
  user_aborts();
  expect_nothing_until(10s);
  EXPECT_EQ(stack().connections(), 0u);
}

TEST_F(TcpUser, what_is_sent_after_shutdown_is_dropped) {
  establish();
  user_shuts_down();
  user_sends("late");
  expect("F. 1:1(0) ack 1");
  send(". 1:1(0) ack 2");
  expect_nothing();
}

TEST_F(TcpUser, data_and_reset_in_one_batch_are_told_in_order) {
  establish();
  send_batch({"P. 1:3(2) ack 1", "R 3:3(0)"});
  expect_events({"data ab", "closed peer_reset"});
}

TEST_F(TcpUser, calls_between_batches_are_sent_by_the_next_flush_and_not_before) {
  establish();
  stream().send(chain_of("one"), now());
  stream().send(chain_of("two"), now());
  stream().shutdown(now());
  expect_nothing();
  flush();
  expect("FP. 1:7(6) ack 1");
  send("R 1:1(0)");
  expect_events({"closed peer_reset"});
}

TEST_F(TcpUser, a_message_in_many_pieces_leaves_in_few_buffers) {
  establish();
  stream().send(chain_of(std::string(900, 'x'), 10), now());  // the recorder counts them
  flush();
  expect("P. 1:901(900) ack 1");
  for (int i = 0; i < 50; ++i) stream().send(chain_of("0123456789"), now());
  flush();
  expect("P. 901:1401(500) ack 1");
  send(". 1:1(0) ack 1401");
}

TEST_F(TcpUser, no_buffers_means_later_and_not_never) {
  establish();
  std::vector<Buf> hoard;
  stream().send(chain_of("hello"), now());
  while (Buf b = buffers().alloc()) hoard.push_back(std::move(b));
  flush();
  expect_nothing();
  EXPECT_GT(drops(DropReason::kNoMemory), 0u);
  hoard.clear();
  at(300ms);
  expect("P. 1:6(5) ack 1");
  discard_sent();
}

TEST_F(TcpUser, ipv6_works_alike_with_its_own_segment_size) {
  local.address = *IpAddr::parse("2001:db8::1");
  remote.address = *IpAddr::parse("2001:db8::2");
  send("S 0:0(0) win 60000 <sackOK>");
  expect("S. 0:0(0) ack 1 <mss 1440, sackOK>");
  send(". 1:1(0) ack 1");
  expect_events({"open"});
  user_sends(2000);
  expect(". 1:1221(1220) ack 1");  // RFC 9293, 3.7.1: default for a peer that says nothing
  expect("P. 1221:2001(780) ack 1");
  send("F. 1:1(0) ack 2001");
  expect(". 2001:2001(0) ack 2");
  user_shuts_down();
  expect("F. 2001:2001(0) ack 2");
  send(". 2:2(0) ack 2002");
  expect_events({"peer closed", "closed normal"});
}

TEST_F(TcpUser, ipv6_connect_takes_the_routes_source) {
  local.address = *IpAddr::parse("2001:db8::1");
  remote.address = *IpAddr::parse("2001:db8::2");
  connect();
  expect("S 0:0(0) <mss 1440, sackOK, TS, wscale 3>");
  user_aborts();
}

TEST_F(TcpUser, stack_that_goes_with_open_connections_leaks_nothing) {
  establish();
  user_sends(5000);
  send(". 101:201(100) ack 1");
  discard_sent();
}

}  // namespace
}  // namespace sluice::test
