// SPDX-License-Identifier: Apache-2.0
// Requests in TLS early data (RFC 8470): which are served at once, which wait, and what backends are told.
#include <gmock/gmock.h>

#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class EarlyData : public Bench {
 protected:
  FakeStream& client = connect_client(80, true);

  /// What the backend got next; "": nothing.
  std::string forwarded() {
    poll();
    return upstreams() == 0 ? std::string() : last_upstream().read();
  }
  void answer(std::string_view text = kOk) {
    last_upstream().deliver(text);
    poll();
  }
};

std::string request(std::string_view method, std::string_view more = "\r\n") {
  return std::string(method) + " /x HTTP/1.1\r\nHost: h\r\n" + std::string(more);
}

TEST_F(EarlyData, SafeRequestsAreForwardedAtOnceAndMarked) {
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) {
    client.deliver_early(request(method));
    const std::string got = forwarded();
    EXPECT_THAT(got, HasSubstr(std::string(method) + " /x HTTP/1.1\r\n"));
    EXPECT_EQ(field_of(got, "Early-Data"), "1");
    answer("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_EQ(status_of(client.read()), 204) << "before the end of the handshake";
  }
  EXPECT_EQ(worker->stats.early_requests.get(), 3u);
  client.finish_handshake();
  client.deliver(request("GET"));
  EXPECT_EQ(field_of(forwarded(), "Early-Data"), "-");
  answer();
  EXPECT_EQ(worker->stats.early_requests.get(), 3u);
}

TEST_F(EarlyData, WhatIsNotSafeOrBringsSomethingWaitsForTheHandshake) {
  for (const std::string& text :
       {request("POST", "Content-Length: 4\r\n\r\nbody"), request("DELETE"), request("PUT", "Content-Length: 0\r\n\r\n"),
        request("GET", "Content-Length: 4\r\n\r\nbody"), request("GET", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        request("GET", "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), request("PROPFIND")}) {
    FakeStream& waits = connect_client(80, true);
    waits.deliver_early(text);
    poll();
    advance(5s);
    EXPECT_EQ(forwarded(), "") << text;
    waits.finish_handshake();
    const std::string got = forwarded();
    EXPECT_EQ(got.substr(0, got.find(' ')), text.substr(0, text.find(' ')));
    EXPECT_EQ(field_of(got, "Early-Data"), "-") << "no repetition of it was served either";
    answer();
    EXPECT_EQ(status_of(waits.read()), 200);
  }
  EXPECT_EQ(worker->stats.early_requests.get(), 0u);
}

TEST_F(EarlyData, ABodyMayGoOnBehindTheHandshake) {
  client.deliver_early(request("POST", "Content-Length: 8\r\n\r\nearl"));
  EXPECT_EQ(forwarded(), "");
  client.finish_handshake();
  poll();
  client.deliver("late");
  EXPECT_EQ(body_of(forwarded()), "earllate");
  answer();
  EXPECT_EQ(status_of(client.read()), 200);
}

TEST_F(EarlyData, ARequestThatIsOnlyInPartEarlyIsMarkedToo) {
  client.deliver_early("GET /x HTTP/1.1\r\nHo");
  EXPECT_EQ(forwarded(), "");
  client.finish_handshake();
  client.deliver("st: h\r\n\r\n");
  EXPECT_EQ(field_of(forwarded(), "Early-Data"), "1");
  answer();
  client.deliver(request("GET"));
  EXPECT_EQ(field_of(forwarded(), "Early-Data"), "-");
  answer();
}

TEST_F(EarlyData, OfPipelinedRequestsEachIsDecidedForItselfAndInOrder) {
  client.deliver_early(request("GET") + request("POST", "Content-Length: 1\r\n\r\nx") + request("GET"));
  EXPECT_EQ(field_of(forwarded(), "Early-Data"), "1");
  answer();
  EXPECT_EQ(forwarded(), "") << "POST waits, and what stands behind it";
  client.finish_handshake();
  const std::string post = forwarded();
  EXPECT_THAT(post, HasSubstr("POST /x"));
  EXPECT_EQ(field_of(post, "Early-Data"), "-");
  answer();
  const std::string last = forwarded();
  EXPECT_THAT(last, HasSubstr("GET /x"));
  EXPECT_EQ(field_of(last, "Early-Data"), "1") << "somebody may have sent it again elsewhere";
  answer();
}

TEST_F(EarlyData, TooEarlyGoesToTheClientAndNotToAnotherBackend) {
  client.deliver_early(request("GET"));
  forwarded();
  const std::size_t before = upstreams();
  answer("HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(status_of(client.read()), 425);
  EXPECT_EQ(upstreams(), before);
  EXPECT_EQ(worker->stats.upstream_retries.get(), 0u);
}

TEST_F(EarlyData, AMarkOfTheClientIsKeptInOneShape) {
  FakeStream& plain = connect_client();
  plain.deliver(request("GET", "Connection: early-data\r\nearly-data: 1\r\nEarly-Data: yes\r\n\r\n"));
  const std::string got = forwarded();
  EXPECT_THAT(got, HasSubstr("\r\nEarly-Data: 1\r\n"));
  EXPECT_THAT(got, Not(HasSubstr("early-data")));
  EXPECT_THAT(got, Not(HasSubstr("yes")));
  EXPECT_EQ(got.find("Early-Data"), got.rfind("Early-Data"));
  answer();
  plain.deliver(request("POST", "Early-Data: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nEarly-Data: 1\r\nX-T: 1\r\n\r\n"));
  const std::string post = forwarded();
  EXPECT_EQ(field_of(post, "Early-Data"), "1");
  EXPECT_EQ(post.find("Early-Data"), post.rfind("Early-Data")) << "not among the trailers";
  EXPECT_THAT(post, HasSubstr("X-T: 1"));
  answer();
}

TEST_F(EarlyData, WhoLeavesWhileHisRequestWaitsLeavesNothingBehind) {
  client.deliver_early(request("POST", "Content-Length: 1\r\n\r\nx"));
  poll();
  EXPECT_FALSE(worker->drained());
  client.closes(l4::CloseReason::kTimeout);
  poll();
  EXPECT_EQ(upstreams(), 0u);
  EXPECT_TRUE(worker->drained());
  EXPECT_EQ(worker->stats.requests.get(), 0u);
}

TEST_F(EarlyData, AListenerThatGoesMeanwhileIsMissedWithAnAnswer) {
  client.deliver_early(request("POST", "Content-Length: 1\r\n\r\nx"));
  poll();
  listener->port = 0;
  publish();
  poll();
  client.finish_handshake();
  poll();
  EXPECT_EQ(status_of(client.read()), 503);
}

TEST_F(EarlyData, NoRequestIsAnsweredAtOnce) {
  client.deliver_early("nonsense\r\n\r\n");
  poll();
  EXPECT_EQ(status_of(client.read()), 400);
}

}  // namespace
}  // namespace sluice::l7::proxy::test
