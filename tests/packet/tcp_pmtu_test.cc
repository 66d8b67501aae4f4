// SPDX-License-Identifier: Apache-2.0
// The way back up after segments had to become smaller (RFC 4821, RFC 8201 4), and the MSS that is offered.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

class TcpPathMtu : public TcpScript {
 protected:
  TcpPathMtu() { config.keepalive_idle = 24h; }
  std::string segment(std::uint32_t begin, std::uint32_t size) {
    return ". " + std::to_string(begin) + ":" + std::to_string(begin + size) + "(" + std::to_string(size) +
           ")";
  }
  std::string ack(std::uint32_t n) { return ". 1:1(0) ack " + std::to_string(n); }
  /// A message has brought segments of 1460 bytes down to 1240; 1460 bytes are acknowledged.
  void come_down() {
    establish("<mss 1460, sackOK>");
    user_sends(1460);
    expect("P. 1:1461(1460)");
    icmp(net::IcmpError::Kind::kTooBig, 1, 1280);
    expect(". 1:1241(1240)");
    expect("P. 1241:1461(220)");
    send(ack(1461));
  }
};

TEST_F(TcpPathMtu, ten_minutes_after_a_message_one_larger_segment_is_tried_and_all_are_when_it_passes) {
  come_down();
  at(599s);
  user_sends(12400);
  for (std::uint32_t i = 0; i < 9; ++i) expect(segment(1461 + 1240 * i, 1240));
  expect("P. 12621:13861(1240)");
  send(ack(13861));
  at(601s);
  user_sends(12400);
  expect(segment(13861, 1460));
  for (std::uint32_t i = 0; i < 8; ++i) expect(segment(15321 + 1240 * i, 1240));
  expect("P. 25241:26261(1020)");
  EXPECT_EQ(stack().stats().mtu_probes.get(), 1u);
  send(ack(26261));
  user_sends(2000);
  expect(segment(26261, 1460));
  expect("P. 27721:28261(540)");
  send(ack(28261));
}

TEST_F(TcpPathMtu, the_loss_of_the_probe_alone_is_no_congestion_and_a_smaller_one_follows_ten_minutes_later) {
  come_down();
  at(601s);
  user_sends(12400);
  discard_sent();
  send(". 1:1(0) ack 1461 <sack 2921:12641>");
  expect(segment(1461, 1240));
  expect(segment(2701, 220));
  send(ack(13861));
  user_sends(12400);  // ten segments: the window is what it was
  for (std::uint32_t i = 0; i < 9; ++i) expect(segment(13861 + 1240 * i, 1240));
  expect("P. 25021:26261(1240)");
  send(ack(26261));
  at(1202s);
  user_sends(12400);
  expect(segment(26261, 1350));  // half-way
  discard_sent();
  EXPECT_EQ(stack().stats().mtu_probes.get(), 2u);
  send(ack(38661));
}

TEST_F(TcpPathMtu, a_message_about_the_probe_says_how_large_the_next_one_is) {
  come_down();
  at(601s);
  user_sends(12400);
  discard_sent();
  icmp(net::IcmpError::Kind::kTooBig, 1461, 1400);
  send(". 1:1(0) ack 1461 <sack 2921:12641>");
  discard_sent();
  send(ack(13861));
  user_sends(12400);
  expect(segment(13861, 1360));
  discard_sent();
  send(ack(26261));
}

TEST_F(TcpPathMtu, after_a_suspected_black_hole_it_is_tried_half_a_minute_later) {
  establish("<mss 1460, sackOK>");
  user_sends(1460);
  at(900ms);
  discard_sent();
  EXPECT_EQ(stack().stats().black_holes.get(), 1u);
  send(ack(1461));
  std::uint32_t sent = 1461;
  for (int i = 0; i < 40; ++i) {  // the window grows
    user_sends(24800);
    while (sent_count() > 0) {
      sent = last_end();
      discard_sent();
      send(ack(sent));
    }
  }
  at(31s);
  discard_sent();
  user_sends(12400);
  expect(segment(sent, 1460));
  sent = last_end();
  discard_sent();
  send(ack(sent));
  discard_sent();
  user_aborts();
  discard_sent();
}

TEST_F(TcpPathMtu, nothing_is_tried_while_too_little_follows_to_tell_its_loss) {
  come_down();
  at(601s);
  user_sends(6000);
  expect(segment(1461, 1240));
  discard_sent();
  send(ack(7461));
  EXPECT_EQ(stack().stats().mtu_probes.get(), 0u);
}

TEST_F(TcpPathMtu, the_mss_may_be_bounded_both_ways) {
  config.max_mss = 1300;
  send("S 0:0(0) win 60000 <mss 1460>");
  expect("S. 0:0(0) ack 1 <mss 1300>");
  send(". 1:1(0) ack 1 win 60000");
  user_sends(1460);
  expect(segment(1, 1300));
  expect("P. 1301:1461(160)");
  send(ack(1461));
}

TEST_F(TcpPathMtu, the_mss_follows_the_mtu_of_the_route) {
  path_mtu = 1400;
  connect();
  expect("S 0:0(0) <mss 1360, sackOK, TS, wscale 3>");
  send("S. 0:0(0) ack 1 win 60000 <mss 1460>");
  expect(". 1:1(0) ack 1");
  user_sends(1460);
  expect(segment(1, 1360));
  discard_sent();
}

}  // namespace
}  // namespace sluice::test
