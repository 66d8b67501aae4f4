// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/timer_wheel.h"
#include "dataplane/net/ip_output.h"
#include "dataplane/worker/app.h"
#include "l4/tcp/stack.h"
#include "tests/packet/tcp_trace.h"
#include "tests/support/eal.h"

namespace sluice::test {

using namespace std::chrono_literals;

/// A user of a stream that writes down what it is told: "open", "data hello" (above 32 bytes the length),
/// "writable", "peer closed", "closed timeout". It consumes what it gets at once unless told otherwise.
class RecordingUser final : public l4::StreamEvents {
 public:
  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override;
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;

  l4::Stream* stream = nullptr;  ///< Null after on_closed.
  bool consumes = true;
  std::string received;
  std::vector<std::string> log;
  /// Called with each line written to the log, from within the callback.
  std::function<void(const std::string&, Instant)> then;

 private:
  void note(std::string line, Instant now);
};

/// One stack of ours under a manual clock, a scripted peer on the wire and recording users behind it. A test
/// reads as a trace: send() is what the peer sends, expect() what the stack must have sent, in order and
/// without anything in between. Our side listens at (or connects from) `local`; the peer is `remote`.
class TcpScript : public ::testing::Test, public l4::tcp::Acceptor, public net::IpOutput {
 protected:
  TcpScript();
  ~TcpScript() override;
  void SetUp() override {}
  void TearDown() override;

  /// Makes the stack; the configuration may be changed before. The first send() or connect() does it
  /// otherwise.
  l4::tcp::Stack& stack();
  /// Handles `line` as a segment of the peer. Payload bytes are a pattern by position, or `text`.
  void send(std::string_view line, std::string_view text = {});
  /// Several segments in one batch.
  void send_batch(const std::vector<std::string>& lines);
  /// The next segment out.
  void expect(std::string_view line);
  /// The next segment out comes at this time since the start, not before; and no other until then.
  void expect_at(Duration time, std::string_view line);
  /// Nothing has been sent that was not expected.
  void expect_nothing();
  /// Nothing is sent up to this time.
  void expect_nothing_until(Duration time);
  /// Lets the time pass; what is sent waits for expect().
  void at(Duration time);
  /// What the user of the (only) connection was told since the last time, exactly.
  void expect_events(const std::vector<std::string>& lines);

  /// Opens a connection to the peer and sends what is due.
  l4::tcp::ConnectResult connect();
  /// Lets the peer open a connection to us, with no options but those given, up to ESTABLISHED: the user has
  /// "open". The ACK comes `rtt` after our SYN,ACK.
  void establish(std::string_view options = "<mss 1000>", unsigned window = 60000, Duration rtt = 0ms);
  /// User calls, and what is due after them.
  void user_sends(std::size_t bytes);
  void user_sends(std::string_view text);
  void user_shuts_down();
  void user_aborts();
  void flush();

  RecordingUser& user() { return *users_.back(); }
  l4::Stream& stream() { return *user().stream; }
  void discard_sent() { sent_.clear(); }
  std::size_t sent_count() const { return sent_.size(); }
  /// Packets that were handed to the IP layer, before it cut any.
  std::size_t handed_down() const { return handed_down_; }
  /// Of the last segment that waits for expect().
  std::uint32_t last_end() const { return sent_.back().segment.seq + sent_.back().segment.length; }
  /// A pure ACK or data of the peer with absolute numbers on our side, for scripts with several connections.
  net::Packet packet_with_ack(std::uint32_t absolute_ack, std::uint32_t seq, std::string_view text);
  std::uint32_t last_sent_seq() const { return iss_ + sent_.back().segment.seq; }
  /// TSval of the last segment that was expected.
  std::uint32_t last_timestamp() const { return last_timestamp_; }
  std::uint32_t last_window() const { return sent_.back().segment.window.value_or(0); }
  Instant started() const { return start_; }
  std::uint32_t first_iss() const { return iss_; }
  void forget_peer();  ///< The next segments belong to a new connection: ISNs are relative to it.
  void icmp(net::IcmpError::Kind kind, std::uint32_t relative_seq, std::uint16_t mtu = 0);

  Instant now() const { return now_; }
  std::uint64_t drops(DropReason r) const { return drops_.get(r); }

  l4::tcp::Config config;
  Endpoint local{IpAddr::v4(0x0a000001), 80};
  Endpoint remote{IpAddr::v4(0x0a000002), 5000};
  std::uint16_t path_mtu = 1500;
  bool listening = true;
  bool accepting = true;
  bool denying = false;  ///< The source may not connect.
  std::optional<DropReason> refusing;  ///< There are too many connections.
  bool any_remote = false;              ///< Do not check where segments go.
  std::uint32_t peer_isn = 0xfffffff0;  ///< Wraps soon, on purpose.
  PortRange ports{20000, 20009};

  // What the stack asks of us.
  bool listens(const Endpoint& at) const override { return listening && at == local; }
  bool denies(const FlowKey& flow) const override { return denying && flow.remote == remote; }
  std::optional<DropReason> refuses(const FlowKey&, Instant) override { return refusing; }
  l4::StreamEvents* accept(l4::Stream& stream, Instant now) override;
  void send(std::span<net::OutPacket> batch, Instant now) override;
  std::uint16_t mtu(const IpAddr&) const override { return path_mtu; }
  std::optional<IpAddr> source_for(const IpAddr& to) const override {
    if (to.is_v4() != local.address.is_v4()) return std::nullopt;
    return local.address;
  }

 private:
  struct Sent {
    TraceSegment segment;
    Instant time;
  };
  net::Packet packet_of(const TraceSegment& s, std::string_view text);
  TraceSegment trace_of(const net::OutPacket& p);
  void step_to(Instant t);

  std::size_t buffers_before_;
  Instant start_{std::chrono::hours(1)};
  Instant now_ = start_;
  TimerWheel timers_{start_};
  DropCounters drops_;
  std::unique_ptr<l4::tcp::Stack> stack_;
  std::vector<std::unique_ptr<RecordingUser>> users_;
  std::deque<Sent> sent_;
  std::size_t handed_down_ = 0;
  std::uint32_t last_timestamp_ = 0;
  bool iss_known_ = false;
  std::uint32_t iss_ = 0;
};

}  // namespace sluice::test
