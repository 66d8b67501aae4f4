// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_http/feed.h"

namespace sluice::l7::http1::test {
namespace {

using namespace std::string_literals;

class RefusedRequest : public testing::TestWithParam<Case> {};

TEST_P(RefusedRequest, IsRefusedWithItsStatusHoweverItIsCut) {
  const Outcome o = request(GetParam().text);
  EXPECT_EQ(o.status, ParseStatus::kError) << o;
  EXPECT_EQ(o.http_status, GetParam().status) << o;
  EXPECT_FALSE(o.reason.empty());
}

std::string get(std::string_view fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n"; }
std::string post(std::string_view fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n"; }
std::string host(std::string_view value) { return "GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n"; }
std::string target(std::string_view t) { return "GET " + std::string(t) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

INSTANTIATE_TEST_SUITE_P(Smuggling, RefusedRequest, testing::Values(
    Case{"LengthAndChunked", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), 400},
    Case{"ChunkedAndLength", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 400},
    Case{"ZeroLengthAndChunked", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400},
    Case{"LengthAndUnknownCoding", post("Content-Length: 4\r\nTransfer-Encoding: gzip, chunked\r\n"), 400},
    Case{"TwoLengths", post("Content-Length: 4\r\nContent-Length: 5\r\n"), 400},
    Case{"TwoIdenticalLengths", post("Content-Length: 4\r\nContent-Length: 4\r\n"), 400},
    Case{"LengthList", post("Content-Length: 4, 5\r\n"), 400},
    Case{"LengthListIdentical", post("Content-Length: 4, 4\r\n"), 400},
    Case{"LengthPlus", post("Content-Length: +4\r\n"), 400},
    Case{"LengthMinus", post("Content-Length: -4\r\n"), 400},
    Case{"LengthHex", post("Content-Length: 0x4\r\n"), 400},
    Case{"LengthWithLetter", post("Content-Length: 4a\r\n"), 400},
    Case{"LengthEmpty", post("Content-Length:\r\n"), 400},
    Case{"LengthWithSpaceInside", post("Content-Length: 1 2\r\n"), 400},
    Case{"LengthOverflow64", post("Content-Length: 18446744073709551620\r\n"), 400},
    Case{"LengthOverflowSigned", post("Content-Length: 9223372036854775808\r\n"), 400},
    Case{"LengthFraction", post("Content-Length: 4.0\r\n"), 400},
    Case{"TwoEncodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
    Case{"EncodingIdentity", post("Transfer-Encoding: identity\r\n"), 400},
    Case{"EncodingIdentityThenChunked", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 400},
    Case{"EncodingChunkedTwice", post("Transfer-Encoding: chunked, chunked\r\n"), 400},
    Case{"EncodingChunkedNotLast", post("Transfer-Encoding: chunked, gzip\r\n"), 400},
    Case{"EncodingMisspelled", post("Transfer-Encoding: xchunked\r\n"), 400},
    Case{"EncodingQuoted", post("Transfer-Encoding: \"chunked\"\r\n"), 400},
    Case{"EncodingWithParameter", post("Transfer-Encoding: chunked;q=1\r\n"), 400},
    Case{"EncodingEmpty", post("Transfer-Encoding:\r\n"), 400},
    Case{"EncodingTrailingComma", post("Transfer-Encoding: chunked,\r\n"), 400},
    Case{"EncodingLeadingComma", post("Transfer-Encoding: , chunked\r\n"), 400},
    Case{"EncodingVerticalTab", post("Transfer-Encoding: \vchunked\r\n"), 400},
    Case{"EncodingNul", post("Transfer-Encoding: chunked\0\r\n"s), 400},
    Case{"EncodingFolded", post("Transfer-Encoding:\r\n chunked\r\n"), 400},
    Case{"EncodingSpaceBeforeColon", post("Transfer-Encoding : chunked\r\n"), 400},
    Case{"EncodingTabBeforeColon", post("Transfer-Encoding\t: chunked\r\n"), 400},
    Case{"EncodingLeadingSpace", post("X: y\r\n Transfer-Encoding: chunked\r\n"), 400},
    Case{"EncodingBareLf", post("X: y\nTransfer-Encoding: chunked\r\n"), 400},
    Case{"EncodingBareCr", post("X: y\rTransfer-Encoding: chunked\r\n"), 400},
    Case{"EncodingInHttp10", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    Case{"EncodingUnknown", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
    Case{"EncodingUnknownUpperCase", post("Transfer-Encoding: GZIP , CHUNKED\r\n"), 501},
    Case{"ConnectWithLength", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400},
    Case{"ConnectWithEncoding", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400}),
    case_name);

INSTANTIATE_TEST_SUITE_P(Lines, RefusedRequest, testing::Values(
    Case{"BareLfEverywhere", "GET / HTTP/1.1\nHost: a\n\n", 400},
    Case{"BareLfBehindRequestLine", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    Case{"BareLfAtTheEnd", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    Case{"BareLfFirst", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"BareCrFirst", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"BareCrInRequestLine", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"BareCrBehindRequestLine", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
    Case{"BareCrBehindValue", get("X: y\r\r\n"), 400},
    Case{"CrCrLfAtTheEnd", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", 400},
    Case{"NineEmptyLines", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" + get(""), 400},
    Case{"ObsFold", get("X: a\r\n b\r\n"), 400},
    Case{"ObsFoldTab", get("X: a\r\n\tb\r\n"), 400},
    Case{"ObsFoldOfNothing", get("X: a\r\n \r\n"), 400},
    Case{"LeadingSpaceFirstField", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    Case{"SpaceBeforeColon", get("X : a\r\n"), 400},
    Case{"EmptyFieldName", get(": a\r\n"), 400},
    Case{"NoColon", get("X\r\n"), 400},
    Case{"SpaceInName", get("X Y: a\r\n"), 400},
    Case{"ControlInName", get("X\x01: a\r\n"), 400},
    Case{"NonAsciiName", get("X\xc3\xa9: a\r\n"), 400},
    Case{"BracketInName", get("X[]: a\r\n"), 400},
    Case{"NulInValue", get("X: a\0b\r\n"s), 400},
    Case{"NulInLongValue", get("X: 0123456789abcdefghijklmn\0b\r\n"s), 400},
    Case{"NulInName", get("X\0: a\r\n"s), 400},
    Case{"ControlInValue", get("X: a\x1f\r\n"), 400},
    Case{"ControlInLongValue", get("X: 0123456789abcdef\x1f 123456789abcdef0123456789\r\n"), 400},
    Case{"DelInValue", get("X: 0123456789abcdef0123456789\x7f\r\n"), 400},
    Case{"LeadingSpaceOnRequestLine", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"TwoSpacesBehindMethod", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"TwoSpacesBehindTarget", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"TabOnRequestLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"SpaceBehindVersion", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    Case{"NoTarget", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"OnlyMethod", "GET\r\n\r\n", 400},
    Case{"BadMethod", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"NoMethod", "/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"NulInMethod", "GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
    Case{"TlsClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s, 400}), case_name);

INSTANTIATE_TEST_SUITE_P(Versions, RefusedRequest, testing::Values(
    Case{"Http09", "GET /\r\n", 400},
    Case{"Http09WithSpace", "GET / \r\n\r\n", 400},
    Case{"Http09ByName", "GET / HTTP/0.9\r\n\r\n", 505},
    Case{"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    Case{"Http20", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    Case{"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    Case{"LowerCase", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"NoMinor", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
    Case{"TwoDigits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
    Case{"LeadingZero", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400},
    Case{"Comma", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400},
    Case{"OtherName", "GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"RtspLine", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", 400},
    Case{"WrongVersionBeforeBareLf", "GET / HTTP/3.0\r\nHost: a\n\r\n", 505}), case_name);

INSTANTIATE_TEST_SUITE_P(HostField, RefusedRequest, testing::Values(
    Case{"Missing", "GET / HTTP/1.1\r\n\r\n", 400},
    Case{"MissingWithAbsoluteForm", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
    Case{"Twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    Case{"TwiceIdentical", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},
    Case{"TwiceInHttp10", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    Case{"TwiceWithAbsoluteForm", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    Case{"Empty", host(""), 400},
    Case{"OnlyPort", host(":80"), 400},
    Case{"OnlyDot", host("."), 400},
    Case{"TwoTrailingDots", host("a.."), 400},
    Case{"EmptyLabel", host("a..b"), 400},
    Case{"LeadingDot", host(".a"), 400},
    Case{"UserInfo", host("user@a"), 400},
    Case{"UserInfoWithPassword", host("user:secret@a"), 400},
    Case{"Space", host("a b"), 400},
    Case{"Comma", host("a,b"), 400},
    Case{"Slash", host("a/b"), 400},
    Case{"Backslash", host("a\\b"), 400},
    Case{"Question", host("a?b"), 400},
    Case{"Percent", host("a%2eb"), 400},
    Case{"NonAscii", host("\xc3\xa9.example"), 400},
    Case{"Quote", host("a\"b"), 400},
    Case{"PortLetters", host("a:http"), 400},
    Case{"PortTooLarge", host("a:65536"), 400},
    Case{"PortOverflow", host("a:4294967376"), 400},
    Case{"PortZero", host("a:0"), 400},
    Case{"PortSigned", host("a:+80"), 400},
    Case{"TwoPorts", host("a:80:80"), 400},
    Case{"Ipv6WithoutBrackets", host("::1"), 400},
    Case{"Ipv6Unclosed", host("[::1"), 400},
    Case{"Ipv6Junk", host("[::1]a"), 400},
    Case{"Ipv6Empty", host("[]"), 400},
    Case{"Ipv6Bad", host("[1:2]"), 400},
    Case{"Ipv6Zone", host("[fe80::1%25eth0]"), 400},
    Case{"Ipv6TooLong", host("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"), 400},
    Case{"TooLong", host(std::string(254, 'a')), 400}), case_name);

INSTANTIATE_TEST_SUITE_P(Target, RefusedRequest, testing::Values(
    Case{"Control", target("/\x01"), 400},
    Case{"Tab", target("/\ta"), 400},
    Case{"Nul", target("/a\0b"s), 400},
    Case{"Delete", target("/a\x7f"), 400},
    Case{"NonAscii", target("/\xc3\xa9"), 400},
    Case{"Fragment", target("/a#b"), 400},
    Case{"FragmentOnly", target("#"), 400},
    Case{"Relative", target("a/b"), 400},
    Case{"AuthorityFormForGet", target("a:80"), 400},
    Case{"AsteriskForGet", target("*"), 400},
    Case{"AsteriskWithMore", "OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"FtpScheme", target("ftp://a/"), 400},
    Case{"FileScheme", target("file:///etc/passwd"), 400},
    Case{"SchemeWithoutSlashes", target("http:/a"), 400},
    Case{"AbsoluteWithoutHost", target("http:///a"), 400},
    Case{"AbsoluteNothing", target("http://"), 400},
    Case{"AbsoluteUserInfo", target("http://u@a/"), 400},
    Case{"AbsoluteBadPort", target("http://a:99999/"), 400},
    Case{"ConnectOriginForm", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"ConnectAbsoluteForm", "CONNECT http://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"ConnectWithoutPort", "CONNECT a1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"ConnectEmptyPort", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    Case{"ConnectIpv6WithoutPort", "CONNECT [::1] HTTP/1.1\r\nHost: a\r\n\r\n", 400}), case_name);

INSTANTIATE_TEST_SUITE_P(Expectations, RefusedRequest, testing::Values(
    Case{"Unknown", post("Expect: 200-ok\r\nContent-Length: 1\r\n"), 417},
    Case{"Two", post("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n"), 417},
    Case{"List", post("Expect: 100-continue, x\r\nContent-Length: 1\r\n"), 417}), case_name);

TEST(RequestLimits, LineOfExactlyTheLimitPassesAndOneByteMoreIs414) {
  Limits limits;
  limits.max_line = 64;
  const auto line = [](std::size_t n) {
    return "GET /" + std::string(n - 14, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(request(line(64), limits).status, ParseStatus::kComplete);
  EXPECT_EQ(request(line(65), limits).http_status, 414);
  EXPECT_EQ(request(line(66), limits).http_status, 414);
  EXPECT_EQ(request("GET /" + std::string(200, 'a'), limits).http_status, 414) << "without its end";
}

TEST(RequestLimits, HeadOfExactlyTheLimitPassesAndOneByteMoreIs431) {
  const std::string text = get("X: 0123456789\r\n");
  Limits limits;
  limits.max_head = text.size();
  EXPECT_EQ(request(text, limits).status, ParseStatus::kComplete);
  EXPECT_EQ(request(text + "rest", limits).rest, "rest");
  limits.max_head = text.size() - 1;
  EXPECT_EQ(request(text, limits).http_status, 431);
  EXPECT_EQ(request(get("X: " + std::string(500, 'x')), limits).http_status, 431) << "without its end";
}

TEST(RequestLimits, FieldsUpToTheLimitPassAndOneMoreIs431) {
  Limits limits;
  limits.max_fields = 3;
  EXPECT_EQ(request(get("A: 1\r\nB: 2\r\n"), limits).status, ParseStatus::kComplete);
  EXPECT_EQ(request(get("A: 1\r\nB: 2\r\nC: 3\r\n"), limits).http_status, 431);
}

TEST(RequestLimits, FieldsBeyondTheListAre431WhateverTheConfiguredLimit) {
  Limits limits;
  limits.max_fields = 10'000;
  std::string fields;
  for (std::size_t i = 0; i < http::FieldList::kMax; ++i) fields += "A: 1\r\n";
  EXPECT_EQ(request(get(fields), limits).http_status, 431);
}

TEST(RequestLimits, AHeadThatComesByteByByteDoesNotPinABufferAByte) {
  const std::string text = get("X: " + std::string(5000, 'x'));
  RequestParser parser((Limits()));
  HeadStorage storage;
  http::RequestHead head;
  BufChain in;
  for (const char c : text.substr(0, text.size() - 1)) {
    in.append(sluice::test::chain_of(std::string_view(&c, 1)));
    ASSERT_EQ(parser.parse(in, storage, head, sluice::test::buffers()).status, ParseStatus::kNeedMore);
    ASSERT_LT(in.segments(), 40u);
  }
  EXPECT_TRUE(parser.started());
}

}  // namespace
}  // namespace sluice::l7::http1::test
