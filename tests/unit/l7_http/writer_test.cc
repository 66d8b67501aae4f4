// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/writer.h"

#include "tests/unit/l7_http/feed.h"

namespace sluice::l7::http1::test {
namespace {

using namespace std::string_view_literals;
using http::Framing;
using sluice::test::buffers;

TEST(HeadWriter, WritesARequestHead) {
  BufChain out;
  HeadWriter w(out, buffers());
  w.request_line("GET", "/a?b");
  w.field("Host", "example.com");
  w.field("X-Number", std::uint64_t{18446744073709551615u});
  w.framing({Framing::Kind::kLength, 12});
  ASSERT_TRUE(w.finish());
  EXPECT_EQ(out.to_string(),
            "GET /a?b HTTP/1.1\r\nHost: example.com\r\nX-Number: 18446744073709551615\r\nContent-Length: 12\r\n\r\n");
}

TEST(HeadWriter, WritesAStatusLineWithTheStandardReasonWhenNoneIsGiven) {
  BufChain out;
  HeadWriter w(out, buffers());
  w.status_line(404, "");
  w.framing({Framing::Kind::kChunked, 0});
  ASSERT_TRUE(w.finish());
  EXPECT_EQ(out.to_string(), "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(HeadWriter, WritesNoFramingWhereThereIsNone) {
  for (const auto kind : {Framing::Kind::kNone, Framing::Kind::kUntilClose, Framing::Kind::kTunnel}) {
    BufChain out;
    HeadWriter w(out, buffers());
    w.status_line(299, "Mine");
    w.framing({kind, 0});
    ASSERT_TRUE(w.finish());
    EXPECT_EQ(out.to_string(), "HTTP/1.1 299 Mine\r\n\r\n");
  }
}

TEST(HeadWriter, AppendsBehindWhatIsThereAndSpansBuffers) {
  const std::size_t free_before = sluice::test::free_buffers();
  {
    BufChain out = sluice::test::chain_of("before");
    const std::string value(5000, 'v');
    HeadWriter w(out, buffers());
    w.request_line("GET", "/");
    w.field("X", value);
    ASSERT_TRUE(w.finish());
    EXPECT_EQ(out.to_string(), "beforeGET / HTTP/1.1\r\nX: " + value + "\r\n\r\n");
  }
  EXPECT_EQ(sluice::test::free_buffers(), free_before);
}

TEST(HeadWriter, NothingThatBreaksOutOfItsLineIsWritten) {
  const auto refuses = [](auto write) {
    BufChain out = sluice::test::chain_of("before");
    HeadWriter w(out, buffers());
    write(w);
    const bool fine = w.finish();
    EXPECT_EQ(out.to_string(), "before");
    return !fine;
  };
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.field("A", "b\r\nC: d"sv); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.field("A", "b\nC: d"sv); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.field("A", "b\rC"sv); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.field("A", "b\0"sv); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.request_line("GET", "/ HTTP/1.1\r\nX: y\r\n"); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.request_line("GET", ""); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.request_line("GET /x", "/"); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.status_line(200, "OK\r\nX: y"); }));
  EXPECT_TRUE(refuses([](HeadWriter& w) { w.status_line(42, "x"); }));
}

TEST(HeadWriter, WithoutMemoryFinishTellsAndNothingIsAppended) {
  std::vector<Buf> all;
  while (Buf b = buffers().alloc()) all.push_back(std::move(b));
  all.pop_back();
  BufChain out;
  HeadWriter w(out, buffers());
  w.request_line("GET", "/");
  w.field("X", std::string(5000, 'v'));
  EXPECT_FALSE(w.finish());
  EXPECT_TRUE(out.empty());
}

TEST(HeadWriter, WhatItWritesTheParserReads) {
  BufChain out;
  HeadWriter w(out, buffers());
  w.request_line("PUT", "/x?y");
  w.field("Host", "a:1");
  w.field("Empty", "");
  w.framing({Framing::Kind::kLength, 5});
  ASSERT_TRUE(w.finish());
  EXPECT_EQ(request(out.to_string()).head, "PUT|/x?y|/x|y|a:1|a|31K--|length:5|Host=a:1;Empty=;Content-Length=5;");
}

TEST(Reasons, KnownCodesHaveOneAndOthersNone) {
  EXPECT_EQ(standard_reason(200), "OK");
  EXPECT_EQ(standard_reason(504), "Gateway Timeout");
  EXPECT_EQ(standard_reason(299), "");
}

}  // namespace
}  // namespace sluice::l7::http1::test
