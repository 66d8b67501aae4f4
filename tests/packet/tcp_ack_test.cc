// SPDX-License-Identifier: Apache-2.0
// When an ACK is sent: RFC 9293, 3.8.6.3; RFC 5681, 4.2.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

/// As many as in l4/tcp/ack_policy.h.
constexpr std::uint32_t kQuickAcks = 16;

class TcpAck : public TcpScript {
 protected:
  void send_ten(std::uint32_t seq) {
    send(". " + std::to_string(seq) + ":" + std::to_string(seq + 10) + "(10) ack 1");
  }
  static std::string ack_of(std::uint32_t seq) { return ". 1:1(0) ack " + std::to_string(seq); }

  /// Every second segment from `seq` on is acknowledged, the first of them not.
  void expect_delayed(std::uint32_t seq) {
    send_ten(seq);
    expect_nothing();
    send_ten(seq + 10);
    expect(ack_of(seq + 20));
  }
  /// Of what follows in order from `seq` on, `quick` segments are acknowledged at once, each by itself.
  void expect_quick_then_delayed(std::uint32_t seq, std::uint32_t quick) {
    for (; quick > 0; --quick, seq += 10) {
      send_ten(seq);
      expect(ack_of(seq + 10));
      expect_nothing();
    }
    expect_delayed(seq);
  }
};

TEST_F(TcpAck, a_single_segment_is_acknowledged_after_the_delay) {
  establish();
  send("P. 1:6(5) ack 1", "hello");
  expect_at(40ms, ". 1:1(0) ack 6");
}

TEST_F(TcpAck, every_second_segment_is_acknowledged_at_once) {
  establish();
  send(". 1:1001(1000) ack 1");
  expect_nothing();
  send(". 1001:2001(1000) ack 1");
  expect(". 1:1(0) ack 2001");
  expect_nothing_until(1s);
}

TEST_F(TcpAck, an_answer_carries_the_acknowledgement) {
  establish();
  user().then = [&](const std::string& line, Instant t) {
    if (line.starts_with("data")) stream().send(chain_of("pong"), t);
  };
  send("P. 1:5(4) ack 1", "ping");
  expect("P. 1:5(4) ack 5");
  send(". 5:5(0) ack 5");
  expect_nothing_until(1s);
}

TEST_F(TcpAck, out_of_order_segments_are_each_acknowledged_at_once_with_sack_newest_first) {
  establish("<mss 1000, sackOK>");
  send_batch({". 101:201(100) ack 1", ". 301:401(100) ack 1", ". 201:211(10) ack 1"});
  expect(". 1:1(0) ack 1 <sack 101:201>");
  expect(". 1:1(0) ack 1 <sack 301:401, sack 101:201>");
  expect(". 1:1(0) ack 1 <sack 101:211, sack 301:401>");
  send(". 1:101(100) ack 1");
  expect(". 1:1(0) ack 211 <sack 301:401>");
  send(". 211:301(90) ack 1");
  expect(". 1:1(0) ack 401 <>");
  std::string all;
  for (std::uint32_t i = 0; i < 400; ++i) all += static_cast<char>('a' + i % 26);
  EXPECT_EQ(user().received, all);
}

TEST_F(TcpAck, old_data_is_acknowledged_again_and_not_delivered_twice) {
  establish();
  send(". 1:11(10) ack 1");
  at(50ms);
  expect(". 1:1(0) ack 11");
  send(". 1:11(10) ack 1");
  expect(". 1:1(0) ack 11");
  send(". 6:16(10) ack 1");  // half old
  expect(". 1:1(0) ack 16");
  EXPECT_EQ(user().received.size(), 15u);
}

TEST_F(TcpAck, segments_after_a_filled_gap_are_acknowledged_one_by_one_for_a_while) {
  establish();
  send_ten(11);
  expect(ack_of(1));
  send_ten(1);
  expect(ack_of(21));
  expect_quick_then_delayed(21, kQuickAcks - 1);
}

TEST_F(TcpAck, segments_after_text_that_came_twice_are_acknowledged_one_by_one_for_a_while) {
  establish();
  expect_delayed(1);
  send_ten(11);
  expect(ack_of(21));
  expect_quick_then_delayed(21, kQuickAcks);
}

TEST_F(TcpAck, an_answer_ends_the_quick_acks) {
  establish();
  send_ten(11);
  expect(ack_of(1));
  send_ten(1);
  expect(ack_of(21));
  user_sends("pong");
  expect("P. 1:5(4) ack 21");
  send(". 21:21(0) ack 5");
  send(". 21:31(10) ack 5");
  expect_at(40ms, ". 5:5(0) ack 31");
}

}  // namespace
}  // namespace sluice::test
