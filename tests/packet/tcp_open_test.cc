// SPDX-License-Identifier: Apache-2.0
// Opening: RFC 9293, 3.5 and 3.10.7.1 to 3.10.7.3.
#include "tests/packet/tcp_script.h"

namespace sluice::test {
namespace {

using TcpOpen = TcpScript;

TEST_F(TcpOpen, passive_open_answers_with_the_options_that_were_offered) {
  send("S 0:0(0) win 60000 <mss 1400, sackOK, TS val 77 ecr 0, wscale 7>");
  expect("S. 0:0(0) ack 1 win 65535 <mss 1460, sackOK, TS ecr 77, wscale 3>");
  send(". 1:1(0) ack 1 win 470 <TS val 78 ecr 0>");
  expect_nothing();
  expect_events({"open"});
  EXPECT_EQ(stack().connections(), 1u);
}

TEST_F(TcpOpen, passive_open_offers_nothing_that_the_peer_does_not) {
  send("S 0:0(0) win 60000");
  expect("S. 0:0(0) ack 1 win 65535 <mss 1460>");
  send(". 1:1(0) ack 1");
  expect_events({"open"});
}

TEST_F(TcpOpen, active_open_completes_and_data_passes_both_ways) {
  connect();
  expect("S 0:0(0) win 65535 <mss 1460, sackOK, TS, wscale 3>");
  send("S. 0:0(0) ack 1 win 60000 <mss 1000>");
  expect(". 1:1(0) ack 1");
  expect_events({"open"});
  user_sends("hello");
  expect("P. 1:6(5) ack 1");
  send("P. 1:6(5) ack 6", "world");
  expect_events({"data world"});
  expect_at(40ms, ". 6:6(0) ack 6");
}

TEST_F(TcpOpen, active_open_from_a_given_address_finds_ports_where_the_default_address_has_none_left) {
  ports = {20000, 20001};
  any_remote = true;
  connect();
  connect();
  EXPECT_EQ(stack().connect(remote, nullptr, now()).stream, nullptr);
  const IpAddr other = IpAddr::v4(0x0a000009);
  for (int i = 0; i < 2; ++i) {
    const auto r = stack().connect(remote, nullptr, now(), other);
    ASSERT_NE(r.stream, nullptr);
    EXPECT_EQ(r.stream->flow().local.address, other);
  }
  EXPECT_EQ(stack().connect(remote, nullptr, now(), other).reason, l4::CloseReason::kNoResources);
  EXPECT_EQ(stack().connections(), 4u);
  discard_sent();
  local.address = other;
  flush();  // the script checks the source of what is sent
  discard_sent();
}

TEST_F(TcpOpen, lost_syn_is_sent_again_with_backoff_until_the_handshake_times_out) {
  config.syn_timeout = 10s;
  connect();
  expect("S 0:0(0)");
  expect_at(1s, "S 0:0(0)");
  expect_at(3s, "S 0:0(0)");
  expect_at(7s, "S 0:0(0)");
  expect_nothing_until(11s);
  expect_events({"closed timeout"});
  EXPECT_EQ(stack().connections(), 0u);
}

}  // namespace
}  // namespace sluice::test
