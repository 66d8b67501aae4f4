// SPDX-License-Identifier: Apache-2.0
// A table of exchanges: what the client sends, what the backend must get, what it answers, what the client
// must get.
#include "tests/unit/l7_proxy/bench.h"

namespace sluice::l7::proxy::test {
namespace {

struct Case {
  std::string_view name;  // What must hold.
  std::string_view client_sends;
  std::string_view backend_gets;
  std::string_view backend_sends;
  bool backend_closes;
  std::string_view client_gets;
  bool client_is_shut;
};

// What every request gets from us behind its own fields.
#define OURS(host)                                                                      \
  "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: " host \
  "\r\nX-Forwarded-Port: 80\r\nX-Real-IP: 198.51.100.7\r\nX-Request-ID: t\r\n"

constexpr Case kCases[] = {
    {"a plain GET passes with its fields, and ours behind them",
     "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\nX-Request-ID: t\r\n\r\n",
     "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n" OURS("shop.example") "\r\n",
     "HTTP/1.1 200 OK\r\nServer: n\r\nContent-Length: 2\r\n\r\nhi", false,
     "HTTP/1.1 200 OK\r\nServer: n\r\nContent-Length: 2\r\n\r\nhi", false},
    {"a body with a length passes with that length",
     "POST / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\nContent-Length: 5\r\n\r\nhello",
     "POST / HTTP/1.1\r\nHost: h\r\n" OURS("h") "Content-Length: 5\r\n\r\nhello",
     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false},
    {"a chunked body stays chunked, with its trailers",
     "POST / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\nTransfer-Encoding: "
     "chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\n" OURS(
         "h") "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nU: 2\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nU: 2\r\n\r\n", false},
    {"an empty body that the client declared is declared to the backend",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX-Request-ID: t\r\n\r\n",
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" OURS("h") "\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     false},
    {"a body that ends with the backend's close is chunked for 1.1 clients",
     "GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc", true,
     "HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false},
    {"a chunked response to a 1.0 client ends with the close",
     "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", true},
    {"a 1.0 client that asks for it keeps its connection when the length is known",
     "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false,
     "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", false},
    {"a 1.0 client without Host: the backend gets the address that was connected to",
     "GET / HTTP/1.0\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n" OURS("192.0.2.1:80") "\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false,
     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", true},
    {"HEAD has the length and no body", "HEAD / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "HEAD / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
     false, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", false},
    {"304 has the length and no body", "GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"1\"\r\n\r\n", false,
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"1\"\r\n\r\n", false},
    {"204 has no body and no length", "GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 204 No Content\r\n\r\n", false,
     "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"hop-by-hop fields and what Connection names stay on their hop, both ways",
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: "
     "trailers\r\n"
     "Proxy-Connection: x\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: "
     "2\r\nContent-Length: 0\r\n\r\n",
     false, "HTTP/1.1 200 OK\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n", false},
    {"so does a Cookie that Connection names",
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: Cookie\r\nCookie: a=1\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    {"what a client claims about itself is replaced",
     "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Real-IP: "
     "1.1.1.1\r\n"
     "X-Forwarded-Host: evil\r\nX-Forwarded-Port: 443\r\nForwarded: for=1.1.1.1\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    {"an absolute-form target becomes origin-form, and its authority the Host",
     "GET http://real.example/p?q HTTP/1.1\r\nHost: other.example\r\nX-Request-ID: t\r\n\r\n",
     "GET /p?q HTTP/1.1\r\nHost: real.example\r\n" OURS("real.example") "\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     false},
    {"the path is routed normalised and passed as it came",
     "GET /a/../b%7e HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "GET /a/../b%7e HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     false},
    {"OPTIONS for the whole server passes", "OPTIONS * HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "OPTIONS * HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    {"Connection: close is answered by closing",
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true},
    {"the backend's Connection: close is not the client's",
     "GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", true,
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false},
    {"interim responses pass before the final one", "GET / HTTP/1.1\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    {"interim responses are kept from 1.0 clients", "GET / HTTP/1.0\r\nHost: h\r\nX-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n",
     "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", true},
    {"an upgrade to h2c is not offered to the backend",
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
     "AAA\r\n"
     "X-Request-ID: t\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: h\r\n" OURS("h") "\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
};

class ExchangeTable : public Bench {
 protected:
  void run(const Case& c, std::size_t client_segment, std::size_t backend_piece) {
    FakeStream& client = connect_client();
    client.deliver(c.client_sends, client_segment);
    poll();
    ASSERT_EQ(upstreams(), 1u);
    EXPECT_EQ(upstream(0).read(), c.backend_gets);
    for (std::string_view rest = c.backend_sends; !rest.empty();) {
      const std::size_t n = std::min(backend_piece, rest.size());
      if (!upstream(0).ended()) upstream(0).deliver(rest.substr(0, n));
      rest.remove_prefix(n);
    }
    if (c.backend_closes && !upstream(0).ended()) upstream(0).peer_closes();
    if (backend_piece > 10'000) {
      EXPECT_EQ(client.read(), c.client_gets);
    } else {
      EXPECT_EQ(status_of(client.read()), status_of(c.client_gets));
    }
    EXPECT_EQ(client.is_shut, c.client_is_shut);
    EXPECT_FALSE(client.is_aborted);
    poll();
    EXPECT_EQ(client.window(), FakeStream::kWindow) << "bytes of the client were not consumed";
    if (!upstream(0).ended()) {
      EXPECT_EQ(upstream(0).window(), FakeStream::kWindow);
    }
  }
};

TEST_F(ExchangeTable, EachCaseHolds) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    run(c, 1400, SIZE_MAX);
    worker->pool.close_idle(now);
    advance(6s);
    connector->streams.clear();
  }
}

TEST_F(ExchangeTable, EachCaseHoldsInSegmentsOfOneByte) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    run(c, 1, 1);
    worker->pool.close_idle(now);
    advance(6s);
    connector->streams.clear();
  }
}

}  // namespace
}  // namespace sluice::l7::proxy::test
