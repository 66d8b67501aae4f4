// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "l7/tls/plain_http.h"
#include "tests/unit/l7_tls/harness.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::chain_of;
using sluice::test::free_buffers;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Failure : public testing::Test {
 protected:
  ~Failure() override { EXPECT_EQ(free_buffers(), before_); }
  const std::size_t before_ = free_buffers();
};

/// The user was told; the stream below gets its FIN, then the linger time, then RST.
void expect_lingering_end(Pair& p) {
  EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
  EXPECT_TRUE(p.tcp.fin_sent);
  EXPECT_FALSE(p.tcp.aborted);
  p.tcp.deliver(std::string(3000, 'x'), 1400, p.now);
  EXPECT_EQ(p.tcp.unconsumed, 0u) << "what still comes is thrown away";
  EXPECT_EQ(p.layer->stats().sessions.get(), 1u);
  p.advance(seconds(3));
  EXPECT_TRUE(p.tcp.aborted);
  EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
}

TEST_F(Failure, AHandshakeOfGarbageGetsAnAlertAndAFin) {
  Pair p(make_context());
  p.tcp.deliver(std::string("\x16\x03\x01\x00\x28", 5) + std::string(40, '\x02'), 5, p.now);
  EXPECT_THAT(p.user.log, ElementsAre("closed"));
  EXPECT_FALSE(p.user.error.empty());
  EXPECT_THAT(p.tcp.sent, StartsWith("\x15\x03"));
  EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 1u);
  expect_lingering_end(p);
}

TEST_F(Failure, WhatIsNotTlsAtAllGetsAFin) {
  for (const std::string& bytes : {std::string(100, '\0'), std::string(5000, '\xff'), std::string("SSH-2.0-x\r\n")}) {
    Pair p(make_context());
    p.tcp.deliver(bytes, 3, p.now);
    EXPECT_THAT(p.user.log, ElementsAre("closed"));
    EXPECT_EQ(p.user.error, "wrong version number");
    EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 1u);
    expect_lingering_end(p);
  }
}

TEST_F(Failure, NoCipherInCommonIsToldByAlert) {
  Pair::Options o;
  o.client.max_version = TLS1_2_VERSION;
  o.client.ciphers = "AES128-SHA";
  Pair p(make_context(), o);
  EXPECT_FALSE(p.connect());
  EXPECT_THAT(p.client.error, HasSubstr("handshake failure"));
  EXPECT_EQ(p.user.error, "no shared cipher");
  expect_lingering_end(p);
}

TEST_F(Failure, AClientThatRefusesTheCertificateIsReported) {
  Pair p(make_context());
  SSL_set_verify(p.client.ssl.get(), SSL_VERIFY_PEER, nullptr);
  EXPECT_FALSE(p.connect());
  EXPECT_THAT(p.user.error, HasSubstr("alert unknown ca"));
  EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 1u);
  expect_lingering_end(p);
}

TEST_F(Failure, ABadRecordGetsAnAlertAfterTheGoodOnesAreDelivered) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair::Options o;
    o.client.min_version = o.client.max_version = version;
    Pair p(make_context(), o);
    ASSERT_TRUE(p.connect());
    p.client.write("good");
    std::string wire = p.client.output();
    p.client.write("bad");
    wire += p.client.output();
    wire.back() = static_cast<char>(wire.back() ^ 1);
    p.tcp.deliver(wire, 1400, p.now);
    EXPECT_EQ(p.user.received, "good");
    EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
    EXPECT_EQ(p.user.error, "decryption failed or bad record mac");
    EXPECT_EQ(p.layer->stats().records_failed.get(), 1u);
    p.exchange(10);
    EXPECT_THAT(p.client.error, HasSubstr("bad record mac"));
    EXPECT_TRUE(p.tcp.fin_sent);
  }
}

TEST_F(Failure, AnAlertOfTheClientEndsTheConnection) {
  Pair p(make_context());
  ASSERT_TRUE(p.connect());
  // The client cannot make sense of this, and says so.
  p.client.input(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  p.client.read();
  ASSERT_TRUE(p.client.failed);
  p.to_server();
  EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
  EXPECT_THAT(p.user.error, HasSubstr("alert bad record mac"));
  expect_lingering_end(p);
}

TEST_F(Failure, AnOversizedRecordIsRefused) {
  Pair p(make_context());
  ASSERT_TRUE(p.connect());
  p.tcp.deliver(std::string("\x17\x03\x03\x60\x00", 5) + std::string(100, 'x'), 1400, p.now);
  EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
  expect_lingering_end(p);
}

TEST_F(Failure, WithoutAHandshakeInTimeTheConnectionIsReset) {
  for (const bool said_something : {false, true}) {
    Pair p(make_context());
    if (said_something) {
      p.client.handshake();
      p.to_server();
    }
    p.advance(milliseconds(9900));
    EXPECT_FALSE(p.user.closed);
    p.advance(milliseconds(200));
    EXPECT_EQ(p.user.closed, CloseReason::kTimeout);
    EXPECT_TRUE(p.tcp.aborted);
    EXPECT_EQ(p.layer->stats().handshake_timeouts.get(), 1u);
    EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
  }
}

TEST_F(Failure, TheTimeoutIsForTheHandshakeOnly) {
  Pair p(make_context());
  ASSERT_TRUE(p.connect());
  p.advance(seconds(3600));
  EXPECT_FALSE(p.user.closed);
  p.client.write("still here");
  p.exchange();
  EXPECT_EQ(p.user.received, "still here");
}

TEST_F(Failure, ACloseInTheHandshakeIsAFailureAndWithoutAByteItIsNone) {
  {
    Pair p(make_context());
    p.client.handshake();
    p.to_server();
    p.tcp.peer_fin(p.now);
    EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
    EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 1u);
    p.tcp.close(CloseReason::kNormal, p.now);
    EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
  }
  {
    Pair p(make_context());
    p.client.handshake();
    p.to_server();
    p.tcp.close(CloseReason::kPeerReset, p.now);
    EXPECT_EQ(p.user.closed, CloseReason::kPeerReset);
    EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 1u);
  }
  {
    Pair p(make_context());
    p.tcp.peer_fin(p.now);
    EXPECT_EQ(p.user.closed, CloseReason::kProtocolError);
    EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 0u) << "a health check";
  }
}

TEST_F(Failure, RenegotiationIsRefusedAndHarmless) {
  Pair::Options o;
  o.client.max_version = TLS1_2_VERSION;
  Pair p(make_context(), o);
  ASSERT_TRUE(p.connect());
  p.client.write("before");
  ASSERT_EQ(SSL_renegotiate(p.client.ssl.get()), 1);
  p.client.handshake();
  p.exchange();
  EXPECT_EQ(p.user.received, "before");
  EXPECT_THAT(p.client.error, HasSubstr("no renegotiation"));
  EXPECT_EQ(p.layer->stats().handshakes.get(), 1u);
  if (!p.user.closed) p.user.abort(p.now);
}

TEST_F(Failure, NoMoreSessionsThanTheBound) {
  Pair p(make_context(), {.max_sessions = 1});
  ASSERT_TRUE(p.connect());
  FakeTcp tcp;
  User user;
  EXPECT_EQ(p.layer->accept(tcp, make_context(), &user, &user.stream), nullptr);
  EXPECT_EQ(user.stream, nullptr);
  EXPECT_EQ(p.layer->stats().no_session.get(), 1u);
  p.user.abort(p.now);
  EXPECT_NE(p.layer->accept(tcp, make_context(), &user, &user.stream), nullptr);
}

TEST_F(Failure, APlainHttpRequestIsAnsweredInPlainText) {
  for (const char* request : {"GET / HTTP/1.1\r\n", "POST /x", "OPTIONS *", "DELETE /", "PRI * HTTP/2.0\r\n"}) {
    for (const std::size_t segment : {1, 3, 1400}) {
      Pair p(make_context(), {.segment = segment});
      p.tcp.deliver(request, segment, p.now);
      EXPECT_THAT(p.tcp.sent, StartsWith("HTTP/1.1 400 Bad Request\r\n")) << request;
      EXPECT_THAT(p.tcp.sent, HasSubstr("\r\nConnection: close\r\n"));
      const std::size_t body = p.tcp.sent.find("\r\n\r\n") + 4;
      EXPECT_THAT(p.tcp.sent,
                  HasSubstr("\r\nContent-Length: " + std::to_string(p.tcp.sent.size() - body) + "\r\n"));
      EXPECT_EQ(p.layer->stats().plain_http.get(), 1u);
      EXPECT_EQ(p.layer->stats().handshakes_failed.get(), 0u);
      expect_lingering_end(p);
    }
  }
}

TEST_F(Failure, FirstBytesAreHttpOnlyWhenAMethodIsWhole) {
  EXPECT_EQ(look_at_first_bytes(chain_of("")), FirstBytes::kTooFew);
  EXPECT_EQ(look_at_first_bytes(chain_of("G")), FirstBytes::kTooFew);
  EXPECT_EQ(look_at_first_bytes(chain_of("GET")), FirstBytes::kTooFew);
  EXPECT_EQ(look_at_first_bytes(chain_of("GET ", 1)), FirstBytes::kHttp);
  EXPECT_EQ(look_at_first_bytes(chain_of("GETS")), FirstBytes::kTls);
  EXPECT_EQ(look_at_first_bytes(chain_of("\x16")), FirstBytes::kTls);
  EXPECT_EQ(look_at_first_bytes(chain_of("get / HTTP/1.1")), FirstBytes::kTls);
}

}  // namespace
}  // namespace sluice::l7::tls::test
