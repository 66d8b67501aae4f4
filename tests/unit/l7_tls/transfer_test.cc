// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::buffers;
using sluice::test::chain_of;
using sluice::test::free_buffers;

constexpr std::size_t kMaxUnconsumed = 256 * 1024;
constexpr std::size_t kRecord = 16384;
constexpr std::size_t kRecordAndOverhead = 16384 + 256;

Pair::Options options(int version, std::size_t segment) {
  Pair::Options o;
  o.client.min_version = o.client.max_version = version;
  o.segment = segment;
  return o;
}

/// Sizes of the application data records in TLS bytes.
std::vector<std::size_t> data_records(std::string_view wire) {
  std::vector<std::size_t> out;
  while (wire.size() >= 5) {
    const std::size_t n = static_cast<std::size_t>(static_cast<std::uint8_t>(wire[3])) << 8 |
                          static_cast<std::uint8_t>(wire[4]);
    if (wire[0] == 23) out.push_back(n);
    wire.remove_prefix(std::min(wire.size(), 5 + n));
  }
  return out;
}

class Transfer : public testing::TestWithParam<std::tuple<int, std::size_t>> {};
INSTANTIATE_TEST_SUITE_P(Tls, Transfer,
                         testing::Combine(testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                                          testing::Values(1, 7, 536, 1400)));

TEST_P(Transfer, BothWaysArriveWholeInSegmentsOfAnySize) {
  const auto [version, segment] = GetParam();
  const std::size_t before = free_buffers();
  {
    Pair p(make_context(), options(version, segment));
    ASSERT_TRUE(p.connect());
    const std::string up = pattern(segment < 100 ? 40'000 : 1'000'000), down = pattern(up.size() + 17);
    std::size_t written = 0, sent = 0;
    const auto send_more = [&] {
      const std::size_t n = std::min(p.user.stream->send_space(), down.size() - sent);
      if (n > 0) p.user.send(std::string_view(down).substr(sent, n), p.now);
      sent += n;
    };
    p.user.in_writable = send_more;
    send_more();
    while (p.client.received.size() < down.size() || p.user.received.size() < up.size()) {
      const std::size_t n = std::min<std::size_t>(30'000, up.size() - written);
      if (n > 0) p.client.write(std::string_view(up).substr(written, n));
      written += n;
      const std::size_t progress = p.client.received.size() + p.user.received.size();
      p.exchange(20'000);  // more than a record even byte by byte
      ASSERT_TRUE(n > 0 || p.client.received.size() + p.user.received.size() > progress) << "stuck";
    }
    EXPECT_TRUE(p.user.received == up);
    EXPECT_TRUE(p.client.received == down);
    EXPECT_EQ(p.tcp.unconsumed, 0u);
    EXPECT_EQ(p.user.stream->unsent_or_unacked(), 0u);
    p.user.abort(p.now);
  }
  EXPECT_EQ(free_buffers(), before);
}

TEST(Transfer, WithoutConsumingItsUserGetsNoMoreThanTheBoundAndTheWindowShuts) {
  // A window wider than the bound, so that the bound itself is seen.
  Pair p(make_context(), options(TLS1_3_VERSION, 1400));
  ASSERT_TRUE(p.connect());
  p.tcp.bound_in = 1024 * 1024;
  p.user.auto_consume = false;
  const std::string up = pattern(3'000'000);
  const std::size_t before = free_buffers();
  for (std::size_t at = 0; at < up.size(); at += 100'000) p.client.write(std::string_view(up).substr(at, 100'000));
  p.exchange();
  EXPECT_GE(p.user.received.size(), kMaxUnconsumed);
  EXPECT_LT(p.user.received.size(), kMaxUnconsumed + kRecord);
  EXPECT_GT(p.client.pending.size(), 1'900'000u) << "the rest waits at the client";
  EXPECT_LE(before - free_buffers(), 1024 * 1024 / 1000) << "buffers hold no more than the window";

  while (p.user.received.size() < up.size()) {
    ASSERT_LT(p.user.unconsumed, kMaxUnconsumed + kRecord);
    const std::size_t progress = p.user.received.size();
    p.user.consumed(p.user.unconsumed, p.now);
    p.exchange();
    ASSERT_GT(p.user.received.size(), progress) << "stuck";
  }
  EXPECT_TRUE(p.user.received == up);
  p.user.consumed(p.user.unconsumed, p.now);
  EXPECT_EQ(p.tcp.unconsumed, 0u);
  EXPECT_EQ(free_buffers(), before);
}

TEST(Transfer, TheWindowBelowStaysShutForWhatTheUserHasNotConsumed) {
  Pair p(make_context(), options(TLS1_3_VERSION, 1400));
  ASSERT_TRUE(p.connect());
  EXPECT_EQ(p.tcp.unconsumed, 0u) << "the handshake is credited at once";
  p.user.auto_consume = false;
  p.client.write(pattern(50'000));
  p.exchange();
  EXPECT_EQ(p.user.unconsumed, 50'000u);
  EXPECT_LE(p.tcp.unconsumed, 50'000u) << "overhead is credited at once, plaintext when consumed";
  EXPECT_GE(p.tcp.unconsumed, 50'000u - kRecordAndOverhead) << "but for one record that came in parts";
  p.user.consumed(20'000, p.now);
  EXPECT_EQ(p.tcp.unconsumed, 30'000u);
  p.user.consumed(30'000, p.now);
  EXPECT_EQ(p.tcp.unconsumed, 0u);
}

TEST(Transfer, AWindowSmallerThanARecordDoesNotLockUp) {
  Pair p(make_context(), options(TLS1_3_VERSION, 1400));
  ASSERT_TRUE(p.connect());
  p.tcp.bound_in = 3000;
  p.client.write(pattern(100'000));
  p.exchange();
  EXPECT_EQ(p.user.received.size(), 100'000u);
}

TEST(Transfer, SmallSendsOfOneLoopShareARecord) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair p(make_context(), options(version, 1400));
    ASSERT_TRUE(p.connect());
    p.user.send("HTTP/1.1 200 OK\r\n", p.now);
    p.user.send("Content-Length: 2\r\n\r\n", p.now);
    p.user.send("ok", p.now);
    EXPECT_TRUE(p.tcp.sent.empty());
    p.layer->flush(p.now);
    EXPECT_EQ(data_records(p.tcp.sent).size(), 1u);
    p.exchange();
    EXPECT_EQ(p.client.received.size(), 40u);
  }
}

TEST(Transfer, RecordsAreSmallAtFirstAndAfterAPauseAndFullOtherwise) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair p(make_context(), options(version, 1400));
    ASSERT_TRUE(p.connect());
    std::size_t sent = 0;
    const auto records = [&](std::size_t n) {
      p.user.send(pattern(n), p.now);
      p.layer->flush(p.now);
      const auto out = data_records(p.tcp.sent);
      p.exchange();
      sent += n;
      EXPECT_EQ(p.client.received.size(), sent);
      return out;
    };
    for (const std::size_t size : records(30'000)) EXPECT_LE(size, 1440u);
    records(10'000);
    EXPECT_LE(records(50'000).size(), 5u) << "of whole segments, up to 16 KB";
    p.advance(std::chrono::seconds(2));
    for (const std::size_t size : records(30'000)) EXPECT_LE(size, 1440u);
  }
}

TEST(Transfer, WithoutAFlushATimerSends) {
  Pair p(make_context());
  ASSERT_TRUE(p.connect());
  p.user.send("ok", p.now);
  EXPECT_TRUE(p.tcp.sent.empty());
  p.now += 2 * TimerWheel::kTick;
  p.timers.advance(p.now);
  EXPECT_FALSE(p.tcp.sent.empty());
}

TEST(Transfer, APeerThatDoesNotReadStopsTheSenderAtTheBound) {
  Pair p(make_context(), options(TLS1_3_VERSION, 1400));
  ASSERT_TRUE(p.connect());
  std::size_t sent = 0;
  for (std::size_t n; (n = std::min<std::size_t>(p.user.stream->send_space(), 5000)) > 0; sent += n) {
    p.user.send(pattern(n), p.now);
    p.layer->flush(p.now);
  }
  EXPECT_LE(sent, FakeTcp::kSendBound);
  EXPECT_LE(p.tcp.sent.size(), FakeTcp::kSendBound + kRecordAndOverhead);
  EXPECT_EQ(p.user.log, std::vector<std::string>{"open"});
  p.exchange();
  EXPECT_EQ(p.user.log.back(), "writable");
  EXPECT_EQ(p.client.received.size(), sent);
  EXPECT_GT(p.user.stream->send_space(), FakeTcp::kSendBound / 2);
}

TEST(Transfer, WhatIsSentBeyondTheBoundWaitsUnsealedAndGoesInOrder) {
  Pair p(make_context(), options(TLS1_3_VERSION, 1400));
  ASSERT_TRUE(p.connect());
  const std::string down = pattern(1'000'000);
  for (std::size_t at = 0; at < down.size(); at += 10'000) {
    p.user.send(std::string_view(down).substr(at, 10'000), p.now);
  }
  p.layer->flush(p.now);
  EXPECT_LE(p.tcp.sent.size(), FakeTcp::kSendBound + kRecordAndOverhead);
  EXPECT_EQ(p.user.stream->send_space(), 0u);
  EXPECT_GE(p.user.stream->unsent_or_unacked(), down.size());
  p.exchange();
  EXPECT_TRUE(p.client.received == down);
  EXPECT_EQ(std::count(p.user.log.begin(), p.user.log.end(), "writable"), 1);
}

TEST(Transfer, AnUpdateOfKeysBothWaysGoesUnnoticed) {
  Pair p(make_context(), options(TLS1_3_VERSION, 1400));
  ASSERT_TRUE(p.connect());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(SSL_key_update(p.client.ssl.get(), SSL_KEY_UPDATE_REQUESTED), 1);
    p.client.write("ping");
    p.exchange();
    p.user.send("pong", p.now);
    p.exchange();
  }
  EXPECT_EQ(p.user.received, "pingpingpingpingping");
  EXPECT_EQ(p.client.received, "pongpongpongpongpong");
}

/// Takes all data buffers, so that there are none.
class Famine {
 public:
  Famine() {
    for (Buf b = buffers().alloc(); b; b = buffers().alloc()) hoard_.push_back(std::move(b));
  }

 private:
  std::vector<Buf> hoard_;
};

TEST(Transfer, NothingIsLostWhileThereAreNoBuffers) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair p(make_context(), options(version, 1400));
    ASSERT_TRUE(p.connect());
    const std::string down = pattern(40'000), up = pattern(10'000);
    BufChain out = chain_of(down);
    p.client.write(up);
    const std::string wire = p.client.output();
    p.tcp.unconsumed += wire.size();
    BufChain in = chain_of(wire);
    BufChain held = in.share(0, in.size(), buffers());  // so that what is read does not come free
    BufChain held_out = out.share(0, out.size(), buffers());
    {
      const Famine famine;
      p.tcp.events->on_data(std::move(in), p.now);
      p.user.stream->send(std::move(out), p.now);
      p.user.shutdown(p.now);
      for (int i = 0; i < 5; ++i) p.advance(std::chrono::milliseconds(1));
      EXPECT_EQ(p.user.received, "");
      EXPECT_EQ(p.tcp.sent, "");
      EXPECT_FALSE(p.user.closed);
    }
    p.advance(std::chrono::milliseconds(1));
    p.exchange();
    EXPECT_TRUE(p.user.received == up);
    EXPECT_TRUE(p.client.received == down);
    EXPECT_TRUE(p.client.peer_closed);
  }
}

TEST(Transfer, TheHandshakeWaitsForBuffers) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair p(make_context(), options(version, 1400));
    p.client.handshake();
    const std::string hello = p.client.output();
    p.tcp.unconsumed += hello.size();
    BufChain in = chain_of(hello);
    BufChain held = in.share(0, in.size(), buffers());
    {
      const Famine famine;
      p.tcp.events->on_data(std::move(in), p.now);
      p.advance(std::chrono::milliseconds(1));
      EXPECT_EQ(p.tcp.sent, "");
      EXPECT_FALSE(p.user.closed);
    }
    p.advance(std::chrono::milliseconds(1));
    EXPECT_TRUE(p.connect());
  }
}

}  // namespace
}  // namespace sluice::l7::tls::test
