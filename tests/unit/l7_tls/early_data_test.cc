// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <vector>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::buffers;
using sluice::test::free_buffers;
using testing::ElementsAre;
using testing::HasSubstr;

/// A client that comes back, a server that takes its early data, and what that remembers.
class EarlyData : public testing::Test {
 protected:
  EarlyData() {
    config.early_data = true;
    context_ = make_context(config, 2);
  }
  ~EarlyData() override {
    SSL_SESSION_free(session_);
    EXPECT_EQ(free_buffers(), before_);
  }

  /// One that has been here before, and sends `text` with its ClientHello.
  std::unique_ptr<Pair> comes_back(std::string_view text, const std::shared_ptr<const ServerContext>& context) {
    if (session_ == nullptr) session_ = first_session(context_);
    options.replays = &guard;
    auto pair = comes_back_to(context);
    pair->user.in_data = [user = &pair->user, this] {
      early_ = early_ || user->stream->early();
      complete_ = user->stream->handshake_complete();
    };
    pair->client.write_early(text);
    return pair;
  }
  /// The same without a word.
  std::unique_ptr<Pair> comes_back_to(const std::shared_ptr<const ServerContext>& context) {
    const SessionPtr copy(SSL_SESSION_dup(session_));
    Pair::Options o = options;
    o.client.session = copy.get();
    return std::make_unique<Pair>(context, o);
  }
  std::unique_ptr<Pair> comes_back(std::string_view text) { return comes_back(text, context_); }

  SSL_SESSION* first_session(const std::shared_ptr<const ServerContext>& context) {
    Pair first(context, options);
    EXPECT_TRUE(first.connect()) << first.client.error;
    EXPECT_FALSE(first.client.sessions.empty());
    SSL_SESSION* out = SSL_SESSION_dup(first.client.sessions.back());
    first.user.abort(first.now);
    return out;
  }

  static int verdict(Pair& p) { return SSL_get_early_data_status(p.client.ssl.get()); }

  /// It was not taken; the client sends it again, and has lost nothing.
  void expect_again(Pair& p, std::string_view text) {
    EXPECT_EQ(p.user.received, "");
    ASSERT_TRUE(p.connect()) << p.client.error << p.user.error;
    EXPECT_EQ(verdict(p), SSL_EARLY_DATA_REJECTED);
    EXPECT_EQ(p.layer->stats().early_data_rejected.get(), 1u);
    EXPECT_EQ(p.layer->stats().early_data_accepted.get(), 0u);
    EXPECT_EQ(p.layer->stats().taken_over.get(), 1u);
    p.client.write(text);
    p.exchange();
    EXPECT_EQ(p.user.received, text);
    EXPECT_FALSE(p.user.stream->early());
    p.user.abort(p.now);
  }

  const std::size_t before_ = free_buffers();
  ServerConfig config;
  Pair::Options options;
  ReplayGuard guard{1024, std::time(nullptr) - 100};
  std::shared_ptr<const ServerContext> context_;
  SSL_SESSION* session_ = nullptr;
  bool early_ = false, complete_ = true;  ///< What the stream said at the last data.
};

TEST_F(EarlyData, IsDeliveredAndAnsweredBeforeTheHandshakeIsComplete) {
  const auto p = comes_back("GET / HTTP/1.1\r\n\r\n");
  p->user.auto_consume = false;
  p->to_server();
  EXPECT_EQ(p->user.received, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(early_);
  EXPECT_FALSE(complete_);
  EXPECT_TRUE(p->user.info.resumed);
  EXPECT_EQ(p->user.info.version, "TLSv1.3");
  EXPECT_NE(p->user.info.cipher, "");
  EXPECT_THAT(p->user.log, ElementsAre("open"));
  const std::string answer = pattern(20'000);
  p->user.send(answer, p->now);
  p->layer->flush(p->now);
  EXPECT_GT(p->tcp.sent.size(), 20'000u) << "behind our Finished, before the client's";

  ASSERT_TRUE(p->connect()) << p->client.error << p->user.error;
  EXPECT_EQ(verdict(*p), SSL_EARLY_DATA_ACCEPTED);
  EXPECT_TRUE(p->client.received == answer);
  EXPECT_TRUE(p->user.stream->handshake_complete());
  EXPECT_THAT(p->user.log, ElementsAre("open", "writable"));
  EXPECT_TRUE(p->user.stream->early()) << "it still is what it was";
  p->user.consumed(p->user.unconsumed - 1, p->now);
  EXPECT_TRUE(p->user.stream->early());
  p->user.consumed(1, p->now);
  EXPECT_FALSE(p->user.stream->early());
  EXPECT_EQ(p->layer->stats().early_data_accepted.get(), 1u);
  EXPECT_EQ(p->layer->stats().handshakes_resumed.get(), 1u);
  EXPECT_EQ(p->layer->stats().taken_over.get(), 1u);

  // Sequence numbers are right in both directions.
  p->client.write(pattern(50'000));
  p->user.auto_consume = true;
  p->exchange();
  EXPECT_EQ(p->user.received.size(), 50'018u);
  EXPECT_FALSE(p->user.stream->early());
  p->user.send("more", p->now);
  p->exchange();
  EXPECT_TRUE(p->client.received == answer + "more");
  p->user.shutdown(p->now);
  p->exchange();
  EXPECT_TRUE(p->client.peer_closed);
  p->user.abort(p->now);
}

TEST_F(EarlyData, ComesInSegmentsOfAnySize) {
  for (const std::size_t segment : {1, 7, 100, 1000, 1400}) {
    options.segment = segment;
    const std::string text = pattern(3000);
    const auto p = comes_back(text);
    ASSERT_TRUE(p->connect()) << p->client.error << p->user.error;
    EXPECT_EQ(verdict(*p), SSL_EARLY_DATA_ACCEPTED);
    EXPECT_TRUE(p->user.received == text) << segment;
    EXPECT_EQ(p->layer->stats().taken_over.get(), 1u);
    p->user.send("answer", p->now);
    p->client.write("more");
    p->exchange();
    EXPECT_EQ(p->client.received, "answer");
    EXPECT_TRUE(p->user.received == text + "more");
    p->user.abort(p->now);
  }
}

TEST_F(EarlyData, DataRightBehindTheHandshakeIsNotEarlyAndNotLost) {
  const auto p = comes_back("early ");
  p->user.auto_consume = false;
  p->to_server();
  // EndOfEarlyData, Finished, and data and close_notify in one flight.
  for (int i = 0; i < 20 && !SSL_is_init_finished(p->client.ssl.get()); ++i) p->to_client();
  ASSERT_TRUE(SSL_is_init_finished(p->client.ssl.get()));
  p->client.write("and late");
  SSL_shutdown(p->client.ssl.get());
  p->exchange();
  EXPECT_EQ(p->user.received, "early and late");
  EXPECT_TRUE(p->user.peer_closed);
  EXPECT_TRUE(p->user.stream->early());
  p->user.consumed(6, p->now);
  EXPECT_FALSE(p->user.stream->early());
  EXPECT_EQ(p->layer->stats().taken_over.get(), 1u);
  p->user.abort(p->now);
}

TEST_F(EarlyData, ASuiteThatStaysWithOpensslGoesOnThere) {
  config.policy.ciphersuites = "TLS_AES_128_CCM_SHA256";
  context_ = make_context(config);
  options.client.ciphersuites = "TLS_AES_128_CCM_SHA256";
  const auto p = comes_back("early ");
  p->user.in_data = [&] { p->user.send("answer", p->now); };
  p->to_server();
  EXPECT_EQ(p->user.received, "early ");
  ASSERT_TRUE(p->connect());
  EXPECT_EQ(p->layer->stats().left_with_openssl.get(), 1u);
  p->client.write("late");
  p->exchange();
  EXPECT_EQ(p->user.received, "early late");
  EXPECT_EQ(p->client.received, "answeranswer");
  p->user.abort(p->now);
}

TEST_F(EarlyData, AnswersFindNoBuffersAndGoOnLater) {
  const auto p = comes_back("GET /");
  const std::string answer = pattern(5000);
  p->to_server();
  EXPECT_EQ(p->user.received, "GET /");
  p->user.send(answer, p->now);
  {
    std::vector<Buf> hoard;
    for (Buf b = buffers().alloc(); b; b = buffers().alloc()) hoard.push_back(std::move(b));
    const std::size_t sent = p->tcp.sent.size();
    for (int i = 0; i < 5; ++i) p->advance(std::chrono::milliseconds(1));
    EXPECT_EQ(p->tcp.sent.size(), sent);
    EXPECT_FALSE(p->user.closed);
  }
  p->advance(std::chrono::milliseconds(1));
  ASSERT_TRUE(p->connect()) << p->client.error << p->user.error;
  p->exchange();
  EXPECT_TRUE(p->client.received == answer);
  EXPECT_EQ(p->layer->stats().taken_over.get(), 1u);
  p->user.abort(p->now);
}

TEST_F(EarlyData, ShutdownMeanwhileClosesWhenTheHandshakeIsComplete) {
  const auto p = comes_back("GET /");
  p->user.in_data = [&] {
    p->user.send("bye", p->now);
    p->user.shutdown(p->now);
  };
  p->to_server();
  p->layer->flush(p->now);
  EXPECT_FALSE(p->tcp.fin_sent);
  p->connect();
  p->exchange();
  EXPECT_EQ(p->client.received, "bye");
  EXPECT_TRUE(p->client.peer_closed);
  EXPECT_TRUE(p->tcp.fin_sent);
  p->user.abort(p->now);
}

TEST_F(EarlyData, IsNotTakenTwice) {
  const auto p = comes_back("GET /pay"), victim = comes_back("GET /pay");
  // Somebody has seen the victim's flight, and is faster.
  const std::string flight = victim->client.output();
  victim->client.pending = flight;
  Pair attacker(context_, options);
  attacker.tcp.deliver(flight, 1400, attacker.now);
  EXPECT_EQ(attacker.user.received, "GET /pay") << "once";
  for (int i = 0; i < 3; ++i) {
    Pair again(context_, options);
    again.tcp.deliver(flight, 1400, again.now);
    again.exchange();
    EXPECT_EQ(again.user.received, "") << "not twice";
    EXPECT_FALSE(again.user.open);
    EXPECT_EQ(again.layer->stats().early_data_replayed.get(), 1u);
    again.user.abort(again.now);
  }
  expect_again(*victim, "GET /pay");
  EXPECT_EQ(victim->layer->stats().early_data_replayed.get(), 1u);
  // Another ClientHello of the same session is no replay.
  ASSERT_TRUE(p->connect());
  EXPECT_EQ(p->user.received, "GET /pay");
  // Who only repeats what others said comes no further.
  attacker.client.pending.clear();
  attacker.advance(std::chrono::seconds(11));
  EXPECT_EQ(attacker.user.closed, l4::CloseReason::kTimeout);
  EXPECT_EQ(attacker.layer->stats().handshake_timeouts.get(), 1u);
  p->user.abort(p->now);
}

TEST_F(EarlyData, IsNotTakenTwiceByAnotherListenerOrWorkerEither) {
  const auto other = make_context(config, 2);
  options.worker = 1;
  const auto victim = comes_back("GET /", other);
  const std::string flight = victim->client.output();
  victim->client.pending = flight;
  options.worker = 0;
  Pair attacker(context_, options);
  attacker.tcp.deliver(flight, 1400, attacker.now);
  EXPECT_EQ(attacker.user.received, "GET /");
  attacker.user.abort(attacker.now);
  expect_again(*victim, "GET /");
  EXPECT_EQ(victim->layer->stats().early_data_replayed.get(), 1u);
}

TEST_F(EarlyData, IsSentAgainWhereItCannotBeRemembered) {
  ReplayGuard full(8, std::time(nullptr) - 100);
  for (std::uint64_t n = 1; n <= 8; ++n) full.admit({n, n << 20}, std::time(nullptr));
  ReplayGuard young(1024, std::time(nullptr));
  for (ReplayGuard* g : {&full, &young, static_cast<ReplayGuard*>(nullptr)}) {
    if (session_ == nullptr) session_ = first_session(context_);
    options.replays = g;
    const auto p = comes_back_to(context_);
    p->client.write_early("hello");
    p->to_server();
    EXPECT_EQ(p->layer->stats().early_data_crowded_out.get(), g == &full ? 1u : 0u);
    EXPECT_EQ(p->layer->stats().early_data_too_soon.get(), g == &young ? 1u : 0u);
    expect_again(*p, "hello");
  }
}

TEST_F(EarlyData, IsOffUnlessAskedForAndWhereClientsShowCertificates) {
  const auto off = make_context();
  SSL_SESSION* session = first_session(off);
  EXPECT_EQ(SSL_SESSION_get_max_early_data(session), 0u);
  SSL_SESSION_free(session);
  // Of a listener that has given tickets for it, and no longer wants any.
  const auto p = comes_back("GET /", off);
  expect_again(*p, "GET /");
}

TEST_F(EarlyData, OfAnotherNameOrProtocolIsSentAgain) {
  config.alpn = {"http/1.1", "other"};
  context_ = make_context(config);
  options.client.server_name = "a.test";
  options.client.alpn = "\x08http/1.1";
  session_ = first_session(context_);
  const auto same = comes_back("GET /");
  ASSERT_TRUE(same->connect());
  EXPECT_EQ(verdict(*same), SSL_EARLY_DATA_ACCEPTED);
  same->user.abort(same->now);
  // OpenSSL's client would not do it, and is told that the session is of that name, or protocol; the ticket knows better.
  options.client.server_name = "b.test";
  ASSERT_EQ(SSL_SESSION_set1_hostname(session_, "b.test"), 1);
  expect_again(*comes_back("GET /"), "GET /");
  options.client.server_name = "a.test";
  ASSERT_EQ(SSL_SESSION_set1_hostname(session_, "a.test"), 1);
  options.client.alpn = "\x05other";
  ASSERT_EQ(SSL_SESSION_set1_alpn_selected(session_, reinterpret_cast<const unsigned char*>("other"), 5), 1);
  expect_again(*comes_back("GET /"), "GET /");
}

TEST_F(EarlyData, BehindAHelloRetryRequestIsSentAgain) {
  config.policy.groups = "P-384";
  const auto strict = make_context(config);
  session_ = first_session(strict);
  options.replays = &guard;
  const auto p = comes_back_to(strict);
  // Its key share is of a group that this listener does not have.
  ASSERT_EQ(SSL_set1_groups_list(p->client.ssl.get(), "X25519:P-384"), 1);
  p->client.write_early("GET /");
  p->to_server();
  expect_again(*p, "GET /");
}

TEST_F(EarlyData, ThatIsForgedEndsTheHandshake) {
  const auto p = comes_back(pattern(2000));
  std::string flight = p->client.output();
  flight[flight.size() - 700] ^= 1;
  p->tcp.deliver(flight, 1400, p->now);
  EXPECT_EQ(p->user.received, "");
  EXPECT_EQ(p->user.closed, l4::CloseReason::kProtocolError);
  EXPECT_THAT(p->user.error, HasSubstr("bad record mac"));
  EXPECT_EQ(p->layer->stats().handshakes_failed.get(), 1u);
}

TEST_F(EarlyData, ThatIsForgedBehindGoodOneEndsTheConnection) {
  const auto p = comes_back("good");
  p->to_server();
  EXPECT_EQ(p->user.received, "good");
  std::string record("\x17\x03\x03\x00\x20", 5);
  record.append(32, 'x');
  p->tcp.deliver(record, 1400, p->now);
  EXPECT_EQ(p->user.closed, l4::CloseReason::kProtocolError);
  EXPECT_THAT(p->user.log, ElementsAre("open", "closed"));
  EXPECT_FALSE(p->connect());
}

TEST_F(EarlyData, BeyondTheBoundEndsTheConnection) {
  const auto p = comes_back(pattern(16'000));
  p->to_server();
  EXPECT_EQ(p->user.received.size(), 16'000u);
  // The client's library keeps to the bound by itself, so it is told of a larger one.
  p->user.abort(p->now);
  SSL_SESSION_set_max_early_data(session_, 100'000);
  const auto greedy = comes_back(pattern(16'000));
  greedy->client.write_early(pattern(16'000));
  greedy->exchange();
  EXPECT_EQ(greedy->user.closed, l4::CloseReason::kProtocolError);
  EXPECT_THAT(greedy->user.error, HasSubstr("too much early data"));
  EXPECT_LE(greedy->user.received.size(), 16'384u);
}

TEST_F(EarlyData, TooMuchOfItIsNotPassedOverForEverEither) {
  ReplayGuard young(1024, std::time(nullptr));
  session_ = first_session(context_);
  SSL_SESSION_set_max_early_data(session_, 1'000'000);
  options.replays = &young;
  const auto p = comes_back_to(context_);
  for (int i = 0; i < 4; ++i) p->client.write_early(pattern(16'000));
  p->exchange();
  EXPECT_FALSE(p->user.open);
  EXPECT_EQ(p->layer->stats().handshakes_failed.get(), 1u);
}

TEST_F(EarlyData, WhoLeavesInTheMiddleOfItIsMissedByNobody) {
  for (const bool by_fin : {true, false}) {
    const auto p = comes_back("GET /");
    p->to_server();
    ASSERT_TRUE(p->user.open);
    by_fin ? p->tcp.peer_fin(p->now) : p->tcp.close(l4::CloseReason::kPeerReset, p->now);
    EXPECT_TRUE(p->user.ended);
    EXPECT_EQ(p->layer->stats().handshakes_failed.get(), 1u);
  }
}

TEST_F(EarlyData, ItsUserMayAbortInEachEvent) {
  for (int when = 0; when < 3; ++when) {
    const auto p = comes_back("GET /");
    const auto abort = [&] { p->user.abort(p->now); };
    if (when == 0) p->user.in_open = abort;
    if (when == 1) p->user.in_data = abort;
    if (when == 2) p->user.in_writable = abort;
    p->connect();
    EXPECT_TRUE(p->tcp.aborted) << when;
    EXPECT_EQ(p->layer->stats().sessions.get(), 0u);
  }
}

TEST_F(EarlyData, OlderVersionsAndNewClientsHandshakeAsEver) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair::Options plain;
    plain.client.min_version = plain.client.max_version = version;
    plain.replays = &guard;
    Pair p(context_, plain);
    ASSERT_TRUE(p.connect());
    EXPECT_EQ(p.layer->stats().early_data_accepted.get() + p.layer->stats().early_data_rejected.get(), 0u);
    EXPECT_EQ(p.layer->stats().taken_over.get(), 1u);
    EXPECT_THAT(p.user.log, ElementsAre("open"));
    p.client.write("ping");
    p.user.send("pong", p.now);
    p.exchange();
    EXPECT_EQ(p.user.received, "ping");
    EXPECT_EQ(p.client.received, "pong");
    EXPECT_FALSE(p.user.stream->early());
    p.user.abort(p.now);
  }
}

}  // namespace
}  // namespace sluice::l7::tls::test
