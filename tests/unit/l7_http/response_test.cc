// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_http/feed.h"

namespace sluice::l7::http1::test {
namespace {

using namespace std::string_literals;
using http::Method;

std::string head_of(std::string_view text, Method method = Method::kGet) {
  const Outcome o = response(text, method);
  EXPECT_EQ(o.status, ParseStatus::kComplete) << o;
  return o.head;
}

// status|reason|<version><K keep-alive>|framing|fields

TEST(Response, StatusLineWithWithoutAndWithEmptyReason) {
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), "200|OK|1K|length:2|Content-Length=2;");
  EXPECT_EQ(head_of("HTTP/1.1 404 Not Found at all\r\nContent-Length: 0\r\n\r\n"),
            "404|Not Found at all|1K|none:0|Content-Length=0;");
  EXPECT_EQ(head_of("HTTP/1.1 204 \r\n\r\n"), "204||1K|none:0|");
  EXPECT_EQ(head_of("HTTP/1.1 204\r\n\r\n"), "204||1K|none:0|");
  EXPECT_EQ(head_of("HTTP/1.1 599 \xc3\xa9\r\nContent-Length: 0\r\n\r\n"), "599|\xc3\xa9|1K|none:0|Content-Length=0;");
}

TEST(Response, WithoutLengthTheBodyLastsUntilTheClose) {
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\n\r\n"), "200|OK|1-|until-close:0|");
  EXPECT_EQ(head_of("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"),
            "200|OK|0-|until-close:0|Connection=keep-alive;");
}

TEST(Response, ChunkedIsChunked) {
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"), "200|OK|1K|chunked:0|Transfer-Encoding=Chunked;");
}

TEST(Response, KeepAliveFollowsVersionAndConnection) {
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n").substr(7, 2), "1-");
  EXPECT_EQ(head_of("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").substr(7, 2), "0-");
  EXPECT_EQ(head_of("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n").substr(7, 2), "0K");
}

TEST(Response, SomeHaveNoBodyWhateverTheFieldsSay) {
  const std::string length = "\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(head_of("HTTP/1.1 200 OK" + length, Method::kHead), "200|OK|1K|none:0|Content-Length=5;");
  EXPECT_EQ(head_of("HTTP/1.1 304 NM" + length), "304|NM|1K|none:0|Content-Length=5;");
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::kHead),
            "200|OK|1K|none:0|Transfer-Encoding=chunked;");
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\n\r\n", Method::kHead), "200|OK|1K|none:0|");
  EXPECT_EQ(head_of("HTTP/1.1 100 Continue\r\n\r\n"), "100|Continue|1K|none:0|");
  EXPECT_EQ(head_of("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), "103|Early Hints|1K|none:0|Link=x;");
}

TEST(Response, A204ThatAnnouncesABodyEndsTheConnectionsUse) {
  EXPECT_EQ(head_of("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n").substr(7, 2), "1K");
  EXPECT_EQ(head_of("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"), "204|No|1-|none:0|Content-Length=5;");
  EXPECT_EQ(head_of("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "204|No|1-|none:0|Transfer-Encoding=chunked;");
}

TEST(Response, SwitchingProtocolsAndConnectAreTunnels) {
  EXPECT_EQ(head_of("HTTP/1.1 101 SP\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
            "101|SP|1-|tunnel:0|Upgrade=websocket;Connection=upgrade;");
  EXPECT_EQ(head_of("HTTP/1.1 200 OK\r\n\r\n", Method::kConnect), "200|OK|1-|tunnel:0|");
  EXPECT_EQ(head_of("HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\n", Method::kConnect),
            "403|No|1K|length:3|Content-Length=3;");
}

TEST(Response, BytesBehindTheHeadStayAndInterimResponsesComeOneByOne) {
  BufChain in = sluice::test::chain_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcX", 7);
  ResponseParser parser((Limits()));
  HeadStorage storage;
  http::ResponseHead head;
  ASSERT_EQ(parser.parse(in, Method::kPut, storage, head, sluice::test::buffers()).status, ParseStatus::kComplete);
  EXPECT_EQ(head.status, 100);
  EXPECT_FALSE(parser.started());
  ASSERT_EQ(parser.parse(in, Method::kPut, storage, head, sluice::test::buffers()).status, ParseStatus::kComplete);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(in.to_string(), "abcX");
}

TEST(Response, AnUnfinishedHeadNeedsMore) {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
  for (std::size_t n = 1; n < text.size(); ++n) {
    EXPECT_EQ(response(text.substr(0, n)).status, ParseStatus::kNeedMore) << n;
  }
}

TEST(Response, LimitsHold) {
  Limits limits;
  limits.max_line = 40;
  limits.max_head = 120;
  limits.max_fields = 2;
  const auto with = [&](const std::string& text) { return response(text, Method::kGet, limits).http_status; };
  EXPECT_EQ(with("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\n\r\n"), 0);
  EXPECT_EQ(with("HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n"), 502);
  EXPECT_EQ(with("HTTP/1.1 200 " + std::string(28, 'x') + "\r\n\r\n"), 502);
  EXPECT_EQ(with("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'x')), 502);
}

class RefusedResponse : public testing::TestWithParam<Case> {};

TEST_P(RefusedResponse, IsABadGatewayHoweverItIsCut) {
  const Outcome o = response(GetParam().text);
  EXPECT_EQ(o.status, ParseStatus::kError) << o;
  EXPECT_EQ(o.http_status, 502) << o;
  EXPECT_FALSE(o.reason.empty());
}

std::string ok(std::string_view fields) { return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n"; }

INSTANTIATE_TEST_SUITE_P(Shapes, RefusedResponse, testing::Values(
    Case{"Garbage", "hello world, this is not HTTP\r\n\r\n"},
    Case{"SshBanner", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n"},
    Case{"EmptyLineFirst", "\r\nHTTP/1.1 200 OK\r\n\r\n"},
    Case{"LfFirst", "\nHTTP/1.1 200 OK\r\n\r\n"},
    Case{"Http2", "HTTP/2.0 200 OK\r\n\r\n"},
    Case{"Http12", "HTTP/1.2 200 OK\r\n\r\n"},
    Case{"LowerCase", "http/1.1 200 OK\r\n\r\n"},
    Case{"NoStatus", "HTTP/1.1\r\n\r\n"},
    Case{"ShortStatus", "HTTP/1.1 20 OK\r\n\r\n"},
    Case{"LongStatus", "HTTP/1.1 2000 OK\r\n\r\n"},
    Case{"StatusLetters", "HTTP/1.1 2xx OK\r\n\r\n"},
    Case{"Status099", "HTTP/1.1 099 OK\r\n\r\n"},
    Case{"Status600", "HTTP/1.1 600 OK\r\n\r\n"},
    Case{"TwoSpaces", "HTTP/1.1  200 OK\r\n\r\n"},
    Case{"NulInReason", "HTTP/1.1 200 O\0K\r\n\r\n"s},
    Case{"BareCrInReason", "HTTP/1.1 200 O\rK\r\n\r\n"},
    Case{"BareLf", "HTTP/1.1 200 OK\nA: b\n\n"},
    Case{"LengthAndChunked", ok("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")},
    Case{"TwoLengths", ok("Content-Length: 4\r\nContent-Length: 5\r\n")},
    Case{"LengthList", ok("Content-Length: 4, 5\r\n")},
    Case{"LengthLetters", ok("Content-Length: four\r\n")},
    Case{"LengthOverflow", ok("Content-Length: 99999999999999999999999\r\n")},
    Case{"LengthNegative", ok("Content-Length: -1\r\n")},
    Case{"TwoEncodings", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    Case{"EncodingUnknown", ok("Transfer-Encoding: gzip, chunked\r\n")},
    Case{"EncodingNotChunked", ok("Transfer-Encoding: gzip\r\n")},
    Case{"EncodingInHttp10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
    Case{"InterimWithLength", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"},
    Case{"InterimWithEncoding", "HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n"},
    Case{"ObsFold", ok("A: b\r\n c\r\n")},
    Case{"SpaceBeforeColon", ok("A : b\r\n")},
    Case{"NoColon", ok("A\r\n")},
    Case{"EmptyName", ok(": b\r\n")},
    Case{"NulInValue", ok("A: \0b\r\n"s)},
    Case{"BareCr", ok("A: b\rC: d\r\n")}), case_name);

}  // namespace
}  // namespace sluice::l7::http1::test
