// SPDX-License-Identifier: Apache-2.0
// TIME-WAIT: RFC 9293, 3.10.7.4; RFC 6191 (reuse), RFC 1337 (RST).
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

class TcpTimeWait : public TcpScript {
 protected:
  void close(const std::string& ts = "") {
    user_shuts_down();
    expect("F. 1:1(0) ack 1");
    send("F. 1:1(0) ack 2" + ts);
    expect(". 2:2(0) ack 2");
    ASSERT_EQ(stack().stats().time_wait.get(), 1u);
  }
};

TEST_F(TcpTimeWait, a_repeated_fin_is_acknowledged_and_starts_the_wait_anew) {
  establish();
  close();
  at(50s);
  send("F. 1:1(0) ack 2");
  expect(". 2:2(0) ack 2");
  at(100s);
  EXPECT_EQ(stack().stats().time_wait.get(), 1u);
  at(111s);
  EXPECT_EQ(stack().stats().time_wait.get(), 0u);
}

TEST_F(TcpTimeWait, reset_does_not_end_it) {
  establish();
  close();
  send("R 2:2(0)");
  expect_nothing();
  EXPECT_EQ(stack().stats().time_wait.get(), 1u);
}

TEST_F(TcpTimeWait, a_syn_with_a_newer_timestamp_opens_the_flow_again) {
  establish("<mss 1000, TS val 1000 ecr 0>");
  send(". 1:1(0) ack 1 <TS val 1001 ecr 0>");
  close(" <TS val 1002 ecr 0>");
  // The new ISN lies below the old sequence numbers: the timestamp decides.
  peer_isn -= 100000;
  forget_peer();
  send("S 0:0(0) win 60000 <mss 1000, TS val 1500 ecr 0>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1 <TS val 1501 ecr 0>");
  expect_events({"open"});
  EXPECT_EQ(stack().stats().time_wait.get(), 0u);
}

TEST_F(TcpTimeWait, a_syn_with_an_older_timestamp_is_only_acknowledged) {
  establish("<mss 1000, TS val 1000 ecr 0>");
  send(". 1:1(0) ack 1 <TS val 1001 ecr 0>");
  close(" <TS val 1002 ecr 0>");
  send("S 90000:90000(0) win 60000 <mss 1000, TS val 900 ecr 0>");
  expect(". 2:2(0) ack 2 <TS ecr 1002>");
  EXPECT_EQ(stack().stats().time_wait.get(), 1u);
}

TEST_F(TcpTimeWait, without_timestamps_a_higher_sequence_number_opens_the_flow_again) {
  establish();
  close();
  peer_isn += 5000;
  forget_peer();
  send("S 0:0(0) win 60000 <mss 1000>");
  expect("S. 0:0(0) ack 1");
  send(". 1:1(0) ack 1");
  expect_events({"open"});
}

TEST_F(TcpTimeWait, the_table_is_bounded_and_the_oldest_goes_first) {
  config.max_time_wait = 2;
  for (std::uint16_t port = 5000; port < 5003; ++port) {
    remote.port = port;
    forget_peer();
    establish();
    user_shuts_down();
    expect("F. 1:1(0) ack 1");
    send("F. 1:1(0) ack 2");
    expect(". 2:2(0) ack 2");
  }
  EXPECT_EQ(stack().stats().time_wait.get(), 2u);
  remote.port = 5000;
  send("F. 1:1(0) ack 2");
  expect("R 2:2(0)");  // forgotten
  remote.port = 5001;
  send("F. 1:1(0) ack 2");
  discard_sent();
  EXPECT_EQ(stack().stats().resets_out.get(), 1u);
}

TEST_F(TcpTimeWait, connect_avoids_its_port_while_another_is_free_and_reuses_it_when_timestamps_allow) {
  ports = {20000, 20000};
  ASSERT_NE(connect().stream, nullptr);
  expect("S 0:0(0)");
  send("S. 0:0(0) ack 1 win 60000 <mss 1000, TS val 5 ecr 0>");
  expect(". 1:1(0) ack 1");
  user_shuts_down();
  expect("F. 1:1(0) ack 1");
  send("F. 1:1(0) ack 2 <TS val 6 ecr 0>");
  expect(". 2:2(0) ack 2");
  EXPECT_EQ(stack().connect(remote, nullptr, now()).reason, l4::CloseReason::kNoResources);
  at(1s);
  forget_peer();
  ASSERT_NE(connect().stream, nullptr);
  expect("S 0:0(0)");
  EXPECT_EQ(stack().stats().time_wait.get(), 0u);
}

}  // namespace
}  // namespace sluice::test
