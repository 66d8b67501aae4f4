// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_http/feed.h"

namespace sluice::l7::http1::test {
namespace {

std::string head_of(std::string_view text) {
  const Outcome o = request(text);
  EXPECT_EQ(o.status, ParseStatus::kComplete) << o;
  EXPECT_EQ(o.rest, "");
  return o.head;
}

// Expectations are what describe() says:
// method|target|path|query|authority|host|<method number><version><K keep-alive><E expect><U upgrade>|framing|fields

TEST(Request, OriginFormIsTakenApart) {
  EXPECT_EQ(head_of("GET /a/b?x=1&y=/?z HTTP/1.1\r\nHost: example.com:8080\r\nAccept:  */* \t\r\n\r\n"),
            "GET|/a/b?x=1&y=/?z|/a/b|x=1&y=/?z|example.com:8080|example.com|01K--|none:0|"
            "Host=example.com:8080;Accept=*/*;");
}

TEST(Request, EmptyQueryAndEmptyValueAreFine) {
  EXPECT_EQ(head_of("GET /? HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n"), "GET|/?|/||a|a|01K--|none:0|Host=a;X=;Y=;");
}

TEST(Request, MethodsAreCaseSensitiveAndUnknownOnesPass) {
  const auto method = [](const char* m) {
    const std::string head = head_of(std::string(m) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    return head.substr(head.find("|a|a|") + 5, 1);
  };
  EXPECT_EQ(method("GET"), "0");
  EXPECT_EQ(method("HEAD"), "1");
  EXPECT_EQ(method("POST"), "2");
  EXPECT_EQ(method("PUT"), "3");
  EXPECT_EQ(method("DELETE"), "4");
  EXPECT_EQ(method("OPTIONS"), "6");
  EXPECT_EQ(method("TRACE"), "7");
  EXPECT_EQ(method("PATCH"), "8");
  EXPECT_EQ(method("get"), "9");
  EXPECT_EQ(method("PROPFIND"), "9");
  EXPECT_EQ(method("M-SEARCH"), "9");
}

TEST(Request, LeadingEmptyLinesAreDropped) {
  EXPECT_EQ(head_of("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "GET|/|/||a|a|01K--|none:0|Host=a;");
}

TEST(Request, AbsoluteFormReplacesHost) {
  EXPECT_EQ(head_of("GET http://b.example:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET|http://b.example:81/p?q|/p|q|b.example:81|b.example|01K--|none:0|Host=a;");
  EXPECT_EQ(head_of("GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n"), "GET|HTTPS://b|/||b|b|01K--|none:0|Host=a;");
  EXPECT_EQ(head_of("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n"), "GET|http://b?q|/|q|b|b|01K--|none:0|Host=a;");
  EXPECT_EQ(head_of("GET http://b/ HTTP/1.0\r\n\r\n"), "GET|http://b/|/||b|b|00---|none:0|");
}

TEST(Request, OptionsTakesAsteriskAndAbsoluteFormWithoutPath) {
  EXPECT_EQ(head_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS|*|*||a|a|61K--|none:0|Host=a;");
  EXPECT_EQ(head_of("OPTIONS http://b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n"),
            "OPTIONS|http://b:1|*||b:1|b|61K--|none:0|Host=b:1;");
}

TEST(Request, ConnectHasAnAuthorityAndNoPath) {
  EXPECT_EQ(head_of("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"),
            "CONNECT|b:443|||b:443|b|51K--|none:0|Host=b:443;");
  EXPECT_EQ(head_of("CONNECT [::1]:443 HTTP/1.1\r\nHost: b\r\n\r\n"),
            "CONNECT|[::1]:443|||[::1]:443|[::1]|51K--|none:0|Host=b;");
}

TEST(Request, HostLosesPortAndTrailingDotButNotBrackets) {
  const auto host = [](const std::string& value) {
    const std::string head = head_of("GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n");
    const std::size_t at = head.find("||") + 2 + value.size() + 1;
    return head.substr(at, head.find('|', at) - at);
  };
  EXPECT_EQ(host("Example.COM"), "Example.COM");
  EXPECT_EQ(host("example.com.:80"), "example.com");
  EXPECT_EQ(host("example.com:"), "example.com");
  EXPECT_EQ(host("127.0.0.1:8080"), "127.0.0.1");
  EXPECT_EQ(host("[2001:db8::1]"), "[2001:db8::1]");
  EXPECT_EQ(host("[::ffff:1.2.3.4]:65535"), "[::ffff:1.2.3.4]");
  EXPECT_EQ(host("a_b-c.d~e"), "a_b-c.d~e");
}

TEST(Request, FramingFollowsLengthOrChunked) {
  const auto framing = [](const std::string& fields) {
    const std::string head = head_of("POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    return head.substr(head.find("-|") + 2, head.find("|Host") - head.find("-|") - 2);
  };
  EXPECT_EQ(framing(""), "none:0");
  EXPECT_EQ(framing("Content-Length: 0\r\n"), "none:0");
  EXPECT_EQ(framing("content-LENGTH: 12\r\n"), "length:12");
  EXPECT_EQ(framing("Content-Length:999999999999999999 \r\n"), "length:999999999999999999");
  EXPECT_EQ(framing("Transfer-Encoding: chunked\r\n"), "chunked:0");
  EXPECT_EQ(framing("transfer-encoding:\tChunKed\t\r\n"), "chunked:0");
}

TEST(Request, KeepAliveFollowsVersionAndConnection) {
  const auto keeps = [](const std::string& version, const std::string& fields) {
    const std::string head = head_of("GET / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n");
    return head[head.find("|a|a|0") + 7] == 'K';
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_TRUE(keeps("1.1", "Connection: keep-alive\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: foo , CLOSE\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_TRUE(keeps("1.1", "Connection: closed\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps("1.0", "Connection: keep-alive, close\r\n"));
}

TEST(Request, UpgradeNeedsConnectionTokenUpgradeFieldAndHttp11) {
  const auto upgrades = [](const std::string& version, const std::string& fields) {
    const std::string head = head_of("GET / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n");
    return head[head.find("|a|a|0") + 9] == 'U';
  };
  EXPECT_TRUE(upgrades("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_TRUE(upgrades("1.1", "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n"));
  EXPECT_FALSE(upgrades("1.1", "Connection: upgrade\r\n"));
  EXPECT_FALSE(upgrades("1.1", "Upgrade: websocket\r\n"));
  EXPECT_FALSE(upgrades("1.1", "Connection: upgrade\r\nUpgrade:\r\n"));
  EXPECT_FALSE(upgrades("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n"));
}

TEST(Request, ExpectationCountsInHttp11WithABodyOnly) {
  const auto expects = [](const std::string& version, const std::string& fields) {
    const std::string head = head_of("PUT / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n");
    return head[head.find("|a|a|3") + 8] == 'E';
  };
  EXPECT_TRUE(expects("1.1", "Expect: 100-Continue\r\nContent-Length: 3\r\n"));
  EXPECT_FALSE(expects("1.1", "Expect: 100-continue\r\n"));
  EXPECT_FALSE(expects("1.0", "Expect: 100-continue\r\nContent-Length: 3\r\n"));
}

TEST(Request, NonAsciiValuesPassUntouched) {
  EXPECT_EQ(head_of("GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\xff \t \x80 padding to sixteen\r\n\r\n"),
            "GET|/|/||a|a|01K--|none:0|Host=a;X=\xc3\xa9\xff \t \x80 padding to sixteen;");
}

TEST(Request, BytesBehindTheHeadStayInTheChain) {
  const Outcome o = request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n");
  EXPECT_EQ(o.rest, "abcGET / HTTP/1.1\r\n");
}

TEST(Request, AnUnfinishedHeadNeedsMore) {
  const std::string text = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t n = 1; n < text.size(); ++n) {
    EXPECT_EQ(request(text.substr(0, n)).status, ParseStatus::kNeedMore) << n;
  }
}

TEST(Request, PipelinedRequestsComeOneByOneFromOneParser) {
  const std::size_t free_before = sluice::test::free_buffers();
  for (const std::size_t segment : {1, 5, 30, 1400}) {
    BufChain in = sluice::test::chain_of(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        "GET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET", segment);
    RequestParser parser((Limits()));
    HeadStorage storage;
    http::RequestHead head;
    for (const std::string_view path : {"/1", "/2", "/3"}) {
      ASSERT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).status, ParseStatus::kComplete);
      EXPECT_EQ(head.path, path);
      EXPECT_EQ(head.keep_alive, path != "/2");
      EXPECT_FALSE(parser.started());
    }
    EXPECT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).status, ParseStatus::kNeedMore);
    EXPECT_TRUE(parser.started());
  }
  EXPECT_EQ(sluice::test::free_buffers(), free_before);
}

TEST(Request, EachMessageOfAConnectionIsJudgedAnew) {
  RequestParser parser((Limits()));
  HeadStorage storage;
  http::RequestHead head;
  for (int i = 0; i < 20; ++i) {  // an empty line before each is not many before one
    BufChain in = sluice::test::chain_of("\r\nGET / HTTP/1.1\r\n");
    ASSERT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).status, ParseStatus::kNeedMore) << i;
    in.append(sluice::test::chain_of("Host: a\r\n\r\n"));
    ASSERT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).status, ParseStatus::kComplete) << i;
  }
  BufChain in = sluice::test::chain_of("GET /\r\n");
  EXPECT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).http_status, 400)
      << "HTTP/0.9 is told at once, behind good requests too";
}

TEST(Request, AHeadInOneSegmentIsReadInPlace) {
  Buf segment = sluice::test::buf_of("GET /path HTTP/1.1\r\nHost: a\r\n\r\nbody");
  const auto* start = reinterpret_cast<const char*>(segment.data());
  BufChain in(std::move(segment));
  RequestParser parser((Limits()));
  HeadStorage storage;
  http::RequestHead head;
  ASSERT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).status, ParseStatus::kComplete);
  EXPECT_EQ(head.path.data(), start + 4);
  in.clear();
  EXPECT_EQ(head.path, "/path") << "the storage keeps the segment alive";
}

TEST(Request, OutOfBuffersIsAnErrorAndNoCrash) {
  std::vector<Buf> all;
  BufChain in = sluice::test::chain_of("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody");
  Buf source = sluice::test::buf_of("x");
  while (Buf b = sluice::test::buffers().share(source, 0, 1)) all.push_back(std::move(b));
  RequestParser parser((Limits()));
  HeadStorage storage;
  http::RequestHead head;
  const ParseResult r = parser.parse(in, storage, head, sluice::test::buffers());
  EXPECT_EQ(r.status, ParseStatus::kError);
  EXPECT_EQ(r.http_status, 503);
}

}  // namespace
}  // namespace sluice::l7::http1::test
