// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

using l4::CloseReason;
using sluice::test::free_buffers;

Client::Options only(int version) {
  Client::Options o;
  o.min_version = o.max_version = version;
  return o;
}

class EachVersion : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Tls, EachVersion, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), [](const auto& i) {
  return i.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
});

TEST_P(EachVersion, ARequestAndItsAnswerPassAndNoBufferStays) {
  const std::size_t before = free_buffers();
  {
    Pair::Options o;
    o.client = only(GetParam());
    o.client.server_name = "Www.Example.com";
    Pair p(make_context(), o);
    ASSERT_TRUE(p.connect());
    EXPECT_EQ(p.user.info.version, GetParam() == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_EQ(p.user.server_name, "Www.Example.com");
    EXPECT_FALSE(p.user.info.resumed);
    p.client.write("GET / HTTP/1.1\r\n\r\n");
    p.exchange();
    EXPECT_EQ(p.user.received, "GET / HTTP/1.1\r\n\r\n");
    p.user.send("HTTP/1.1 200 OK\r\n", p.now);
    p.user.send("\r\nhello", p.now);
    p.exchange();
    EXPECT_EQ(p.client.received, "HTTP/1.1 200 OK\r\n\r\nhello");
    EXPECT_EQ(p.tcp.unconsumed, 0u);
    EXPECT_EQ(p.layer->stats().handshakes.get(), 1u);
    p.user.abort(p.now);
    EXPECT_TRUE(p.tcp.aborted);
    EXPECT_EQ(p.layer->stats().sessions.get(), 0u);
  }
  EXPECT_EQ(free_buffers(), before);
}

TEST_P(EachVersion, WorksByteByByte) {
  Pair::Options o;
  o.client = only(GetParam());
  o.segment = 1;
  Pair p(make_context(), o);
  ASSERT_TRUE(p.connect());
  p.client.write("ping");
  p.exchange();
  EXPECT_EQ(p.user.received, "ping");
  p.user.send("pong", p.now);
  p.exchange();
  EXPECT_EQ(p.client.received, "pong");
}

}  // namespace
}  // namespace sluice::l7::tls::test
