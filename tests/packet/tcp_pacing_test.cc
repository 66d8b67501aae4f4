// SPDX-License-Identifier: Apache-2.0
// A window is spread over the round trip, but no flight that fits into the first window.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

class TcpPacing : public TcpScript {
 protected:
  TcpPacing() { config.pacing = true; }
  /// The next segments out, of 1000 bytes each.
  void expect_segments(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i) {
      expect(". " + std::to_string(1 + 1000 * i) + ":" + std::to_string(1001 + 1000 * i) + "(1000) ack 1");
    }
  }
  std::string range(std::uint32_t segment) {
    return std::to_string(1 + 1000 * segment) + ":" + std::to_string(1001 + 1000 * segment) + "(1000)";
  }
};

TEST_F(TcpPacing, the_first_window_goes_out_at_once_and_what_is_beyond_at_twice_the_window_a_round_trip) {
  establish("<mss 1000>", 60000, 100ms);
  user_sends(60000);
  expect_segments(0, 10);
  expect_nothing_until(200ms);
  send(". 1:1(0) ack 10001");  // the window is 20 segments: 10 at once, 10 more 2.5 ms apart
  expect_segments(10, 11);
  expect_at(201500us, ". " + range(21) + " ack 1");
  expect_at(204ms, ". " + range(22) + " ack 1");
  expect_at(206500us, ". " + range(23) + " ack 1");
  at(225ms);
  expect_segments(24, 6);
  expect_nothing();
  user_aborts();
  discard_sent();
}

TEST_F(TcpPacing, slow_start_doubles_though_acks_come_faster_than_the_pace) {
  config.congestion = l4::tcp::Algorithm::kNewReno;  // HyStart++ would see round trips that grow
  establish("<mss 600>", 60000, 100ms);
  user_sends(120000);
  std::uint32_t acked = 0;
  for (const std::uint32_t flight : {10, 20, 40}) {
    at(now() - started() + 100ms);
    ASSERT_EQ(last_end(), 1 + 600 * (acked + flight));
    for (std::uint32_t i = 0; i < flight; i += 2) {
      acked += 2;
      send(". 1:1(0) ack " + std::to_string(1 + 600 * acked));
    }
  }
  at(now() - started() + 100ms);
  EXPECT_EQ(last_end(), 1 + 600 * (acked + 80));
  user_aborts();
  discard_sent();
}

TEST_F(TcpPacing, what_fits_into_the_first_window_is_not_held_however_large_the_window_is) {
  establish("<mss 1000>", 60000, 100ms);
  user_sends(20000);
  at(200ms);
  discard_sent();
  send(". 1:1(0) ack 10001");
  at(230ms);
  discard_sent();
  send(". 1:1(0) ack 20001");
  user_sends(10000);
  expect_segments(20, 9);
  expect("P. 29001:30001(1000) ack 1");
  user_aborts();
  discard_sent();
}

TEST_F(TcpPacing, a_round_trip_that_the_timing_wheel_could_not_part_is_not_paced) {
  establish("<mss 1000>", 60000, 1ms);
  user_sends(60000);
  expect_segments(0, 10);
  at(2ms);
  send(". 1:1(0) ack 10001");
  expect_segments(10, 18);
  user_aborts();
  discard_sent();
}

TEST_F(TcpPacing, it_may_be_switched_off) {
  config.pacing = false;
  establish("<mss 1000>", 60000, 100ms);
  user_sends(60000);
  at(200ms);
  discard_sent();
  send(". 1:1(0) ack 10001");
  expect_segments(10, 18);
  user_aborts();
  discard_sent();
}

TEST_F(TcpPacing, a_retransmission_after_a_timeout_waits_for_nothing) {
  establish("<mss 1000>", 60000, 100ms);
  user_sends(60000);
  at(200ms);
  send(". 1:1(0) ack 10001");
  discard_sent();
  at(230ms);
  discard_sent();
  at(800ms);
  expect(". 10001:11001(1000) ack 1");
  user_aborts();
  discard_sent();
}

}  // namespace
}  // namespace sluice::test
