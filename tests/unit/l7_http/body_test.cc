// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "tests/unit/l7_http/feed.h"

namespace sluice::l7::http1::test {
namespace {

using namespace std::string_literals;
using http::Framing;
using sluice::test::buffers;
using sluice::test::chain_of;
using Status = BodyDecoder::Status;

struct Decoded {
  Status status = Status::kMore;
  std::string body, trailers, rest, reason;
  Status at_close = Status::kMore;
  bool operator==(const Decoded&) const = default;
};

std::ostream& operator<<(std::ostream& os, const Decoded& d) {
  return os << static_cast<int>(d.status) << " '" << d.body << "' trailers='" << d.trailers << "' rest='" << d.rest
            << "' " << d.reason;
}

Decoded run(std::vector<BufChain> pieces, const Framing& framing) {
  BodyDecoder decoder;
  decoder.start(framing);
  BufChain in, out;
  Decoded d;
  for (BufChain& piece : pieces) {
    in.append(std::move(piece));
    if (d.status == Status::kMore) d.status = decoder.decode(in, out, buffers());
    EXPECT_EQ(decoder.decoded(), out.size());
  }
  d.body = out.to_string();
  d.reason = decoder.reason();
  d.at_close = decoder.finish();
  if (d.status == Status::kDone) {
    d.rest = in.to_string();
    d.trailers = decoder.trailers();
  }
  return d;
}

Decoded decode(std::string_view text, const Framing& framing) {
  const std::size_t free_before = sluice::test::free_buffers();
  const Decoded whole = run(one(chain_of(text)), framing);
  const std::size_t most = std::min<std::size_t>(text.size(), 500);
  const std::size_t least = 1 + text.size() / 4000;  // the test's pool has 8191 buffers
  for (std::size_t n = least; n <= most; ++n) {
    EXPECT_EQ(run(one(chain_of(text, n)), framing), whole) << "segments of " << n;
    EXPECT_EQ(run(cut_every(text, n), framing), whole) << "calls of " << n;
    std::vector<BufChain> two = one(chain_of(text.substr(0, n)));
    two.push_back(chain_of(text.substr(n)));
    EXPECT_EQ(run(std::move(two), framing), whole) << "cut at " << n;
  }
  EXPECT_EQ(sluice::test::free_buffers(), free_before) << "leak";
  return whole;
}

constexpr Framing kChunked{Framing::Kind::kChunked, 0};

TEST(Body, WithoutBodyIsDoneAtOnceAndTakesNothing) {
  const Decoded d = decode("next", {Framing::Kind::kNone, 0});
  EXPECT_EQ(d.status, Status::kDone);
  EXPECT_EQ(d.rest, "next");
}

TEST(Body, ALengthTakesSoManyBytesAndLeavesTheRest) {
  const Decoded d = decode("hello worldGET /", {Framing::Kind::kLength, 11});
  EXPECT_EQ(d.status, Status::kDone);
  EXPECT_EQ(d.body, "hello world");
  EXPECT_EQ(d.rest, "GET /");
}

TEST(Body, ALengthCutShortIsAnErrorAtTheEnd) {
  const Decoded d = decode("hello", {Framing::Kind::kLength, 11});
  EXPECT_EQ(d.status, Status::kMore);
  EXPECT_EQ(d.at_close, Status::kError);
}

TEST(Body, UntilCloseAndTunnelTakeEverythingAndEndWithTheConnection) {
  for (const auto kind : {Framing::Kind::kUntilClose, Framing::Kind::kTunnel}) {
    const Decoded d = decode("anything\r\n\r\n", {kind, 0});
    EXPECT_EQ(d.status, Status::kMore);
    EXPECT_EQ(d.body, "anything\r\n\r\n");
    EXPECT_EQ(d.at_close, Status::kDone);
  }
}

TEST(Chunked, ChunksAreJoinedAndTheRestStays) {
  const Decoded d = decode("5\r\nhello\r\n06\r\n world\r\n0\r\n\r\nGET /", kChunked);
  EXPECT_EQ(d.status, Status::kDone) << d;
  EXPECT_EQ(d.body, "hello world");
  EXPECT_EQ(d.rest, "GET /");
  EXPECT_EQ(d.trailers, "");
}

TEST(Chunked, SizesAreHexadecimalInAnyCase) {
  const std::string data(0xAb, 'x');
  EXPECT_EQ(decode("aB\r\n" + data + "\r\n000\r\n\r\n", kChunked).body, data);
}

TEST(Chunked, ExtensionsAreCheckedAndDropped) {
  const Decoded d = decode("1;a\r\nx\r\n1 ; a = b;c=\"q;\\\"\t\"\r\ny\r\n0;last\r\n\r\n", kChunked);
  EXPECT_EQ(d.status, Status::kDone) << d;
  EXPECT_EQ(d.body, "xy");
}

TEST(Chunked, TrailersAreKeptInOneShapeAndDangerousOnesDropped) {
  const Decoded d = decode(
      "0\r\nGrpc-Status:  0 \r\nContent-Length: 5\r\nX-Sum:a b\r\ntransfer-encoding: chunked\r\nHost: evil\r\n"
      "X-Forwarded-For: 1.2.3.4\r\nAuthorization: me\r\nssl_client-verify: SUCCESS\r\n\r\nrest", kChunked);
  EXPECT_EQ(d.status, Status::kDone) << d;
  EXPECT_EQ(d.trailers, "Grpc-Status: 0\r\nX-Sum: a b\r\n");
  EXPECT_EQ(d.rest, "rest");
}

TEST(Chunked, ADecoderStartedAgainRemembersNothing) {
  BodyDecoder decoder;
  for (const std::string_view trailers : {"A: b\r\n", ""}) {
    decoder.start(kChunked);
    BufChain in = chain_of("1\r\nx\r\n0\r\n" + std::string(trailers) + "\r\n"), out;
    ASSERT_EQ(decoder.decode(in, out, buffers()), Status::kDone);
    EXPECT_EQ(decoder.trailers(), trailers);
    EXPECT_EQ(decoder.decoded(), 1u);
  }
  decoder.start(kChunked);
  BufChain bad = chain_of("x"), out;
  bad.append(chain_of("\r\n"));
  ASSERT_EQ(decoder.decode(bad, out, buffers()), Status::kError);
  decoder.start(kChunked);
  EXPECT_EQ(decoder.reason(), "");
  BufChain good = chain_of("0\r\n\r\n");
  EXPECT_EQ(decoder.decode(good, out, buffers()), Status::kDone);
}

TEST(Chunked, AnEndInTheMiddleIsAnError) {
  const std::string text = "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) {
    const Decoded d = decode(text.substr(0, n), kChunked);
    EXPECT_EQ(d.status, Status::kMore) << n;
    EXPECT_EQ(d.at_close, Status::kError) << n;
  }
}

class RefusedChunks : public testing::TestWithParam<Case> {};

TEST_P(RefusedChunks, AreAnErrorHoweverTheyAreCut) {
  const Decoded d = decode(GetParam().text, kChunked);
  EXPECT_EQ(d.status, Status::kError) << d;
  EXPECT_FALSE(d.reason.empty());
  EXPECT_EQ(d.at_close, Status::kError);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RefusedChunks, testing::Values(
    Case{"EmptySize", "\r\nabc\r\n"},
    Case{"NotHex", "g\r\nabc\r\n"},
    Case{"Prefix0x", "0x3\r\nabc\r\n"},
    Case{"Plus", "+3\r\nabc\r\n"},
    Case{"Minus", "-3\r\nabc\r\n"},
    Case{"LeadingSpace", " 3\r\nabc\r\n"},
    Case{"TrailingSpace", "3 \r\nabc\r\n"},
    Case{"TrailingTab", "3\t\r\nabc\r\n"},
    Case{"SpaceInside", "1 0\r\nabc\r\n"},
    Case{"Overflow64", "10000000000000003\r\nabc\r\n"},
    Case{"ManyZeros", "00000000000000003\r\nabc\r\n"},
    Case{"BareLfBehindSize", "3\nabc\r\n0\r\n\r\n"},
    Case{"BareCrBehindSize", "3\rabc\r\n0\r\n\r\n"},
    Case{"CrCrLf", "3\r\r\nabc\r\n0\r\n\r\n"},
    Case{"NoCrlfBehindData", "3\r\nabc0\r\n\r\n"},
    Case{"BareLfBehindData", "3\r\nabc\n0\r\n\r\n"},
    Case{"BareCrBehindData", "3\r\nabc\r0\r\n\r\n"},
    Case{"DataTooLong", "3\r\nabcd\r\n0\r\n\r\n"},
    Case{"DataTooShort", "5\r\nabc\r\n0\r\n\r\n"},
    Case{"SemicolonOnly", "3;\r\nabc\r\n"},
    Case{"ExtensionWithoutSemicolon", "3 a=b\r\nabc\r\n"},
    Case{"ExtensionWithoutValue", "3;a=\r\nabc\r\n"},
    Case{"ExtensionUnclosedQuote", "3;a=\"b\r\nabc\r\n"},
    Case{"ExtensionBareCr", "3;a\rb\r\nabc\r\n"},
    Case{"ExtensionBareLf", "3;a\nabc\r\n0\r\n\r\n"},
    Case{"ExtensionQuotedLf", "3;a=\"\n\"\r\nabc\r\n"},
    Case{"ExtensionNul", "3;a=\"\0\"\r\nabc\r\n"s},
    Case{"ExtensionTooLong", "3;a=" + std::string(2000, 'b') + "\r\nabc\r\n"},
    Case{"LastChunkBareLf", "0\n\n"},
    Case{"EndBareLf", "0\r\n\n"},
    Case{"TrailerWithoutColon", "0\r\nabc\r\n\r\n"},
    Case{"TrailerSpaceBeforeColon", "0\r\nA : b\r\n\r\n"},
    Case{"TrailerFolded", "0\r\nA: b\r\n c\r\n\r\n"},
    Case{"TrailerFoldedFirst", "0\r\n c\r\n\r\n"},
    Case{"TrailerNul", "0\r\nA: \0\r\n\r\n"s},
    Case{"TrailerBareCr", "0\r\nA: b\rC: d\r\n\r\n"},
    Case{"TrailerBareLf", "0\r\nA: b\n\r\n"},
    Case{"TrailersTooLarge", "0\r\nA: " + std::string(9000, 'b') + "\r\n\r\n"}), case_name);

TEST(Chunked, ManySmallTrailersAreBounded) {
  std::string text = "0\r\n";
  for (int i = 0; i < 2000; ++i) text += "Host: x\r\n";  // dropped ones count as well
  EXPECT_EQ(run(one(chain_of(text)), kChunked).status, Status::kError);
}

TEST(Chunked, ExtensionsWithoutDataAreBounded) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "1;" + std::string(1000, 'e') + "\r\nx\r\n";
  EXPECT_EQ(run(one(chain_of(text)), kChunked).status, Status::kError);
  const std::string data(1000, 'd');
  text.clear();
  for (int i = 0; i < 100; ++i) text += "3e8;" + std::string(900, 'e') + "\r\n" + data + "\r\n";
  EXPECT_EQ(run(one(chain_of(text)), kChunked).status, Status::kMore) << "as much as there is data is fine";
}

TEST(Chunked, TinyChunksDoNotTakeABufferEach) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "1\r\nx\r\n";
  BodyDecoder decoder;
  decoder.start(kChunked);
  BufChain in = chain_of(text), out;
  EXPECT_EQ(decoder.decode(in, out, buffers()), Status::kMore);
  EXPECT_EQ(out.size(), 2000u);
  EXPECT_LT(out.segments(), 10u);
}

TEST(Chunked, LargeChunksAreNotCopied) {
  Buf segment = sluice::test::buf_of("400\r\n" + std::string(1024, 'x') + "\r\n");
  const std::uint8_t* start = segment.data();
  BodyDecoder decoder;
  decoder.start(kChunked);
  BufChain in(std::move(segment)), out;
  ASSERT_EQ(decoder.decode(in, out, buffers()), Status::kMore);
  EXPECT_EQ(BufChain::view(out.front()).data(), start + 5);
}

TEST(Body, WithoutReferencesNothingIsLost) {
  const std::string data(1000, 'x');
  for (const Framing& framing : {Framing{Framing::Kind::kLength, 1000}, kChunked}) {
    const std::string text = framing.kind == Framing::Kind::kChunked ? "3e8\r\n" + data + "\r\n0\r\n\r\nR" : data + "R";
    BodyDecoder decoder;
    decoder.start(framing);
    BufChain in = chain_of(text), out;
    {
      std::vector<Buf> all;
      Buf source = sluice::test::buf_of("x");
      while (Buf b = buffers().share(source, 0, 1)) all.push_back(std::move(b));
      EXPECT_EQ(decoder.decode(in, out, buffers()), Status::kNoMemory);
    }
    EXPECT_EQ(decoder.decode(in, out, buffers()), Status::kDone) << "with memory again it goes on";
    EXPECT_EQ(out.to_string(), data);
    EXPECT_EQ(in.to_string(), "R");
  }
}

TEST(ChunkEncoder, WhatItWritesTheDecoderReads) {
  std::mt19937 random(1);
  const std::size_t free_before = sluice::test::free_buffers();
  for (int round = 0; round < 300; ++round) {
    std::string body;
    BufChain wire;
    for (auto chunks = random() % 6; chunks > 0; --chunks) {
      std::string data(random() % 3000, '\0');
      for (char& c : data) c = static_cast<char>(random());
      body += data;
      ASSERT_TRUE(encode_chunk(chain_of(data, 1 + random() % 1400), wire, buffers()));
    }
    ASSERT_TRUE(encode_last_chunk(round % 2 == 0 ? "" : "A: b\r\n", wire, buffers()));
    const Decoded d = run(cut_every(wire.to_string() + "rest", 1 + random() % 1400), kChunked);
    ASSERT_EQ(d.status, Status::kDone) << d.reason;
    ASSERT_EQ(d.body, body);
    ASSERT_EQ(d.trailers, round % 2 == 0 ? "" : "A: b\r\n");
    ASSERT_EQ(d.rest, "rest");
  }
  EXPECT_EQ(sluice::test::free_buffers(), free_before);
}

TEST(ChunkEncoder, ASharedPayloadIsLeftAloneAndAnEmptyOneIsNoLastChunk) {
  BufChain data = chain_of("before hello"), wire;
  ASSERT_TRUE(encode_chunk(data.share(7, 5, buffers()), wire, buffers()));
  EXPECT_EQ(wire.to_string(), "5\r\nhello\r\n");
  EXPECT_EQ(data.to_string(), "before hello");
  ASSERT_TRUE(encode_chunk(BufChain(), wire, buffers()));
  EXPECT_EQ(wire.to_string(), "5\r\nhello\r\n");
}

TEST(ChunkEncoder, WithoutMemoryNothingChanges) {
  BufChain data = chain_of("hello"), shared = data.share(0, 5, buffers()), wire;
  std::vector<Buf> all;
  while (Buf b = buffers().alloc()) all.push_back(std::move(b));
  EXPECT_FALSE(encode_chunk(std::move(shared), wire, buffers()));
  EXPECT_EQ(shared.to_string(), "hello");
  EXPECT_TRUE(wire.empty());
  EXPECT_FALSE(encode_last_chunk("A: b\r\n", wire, buffers()));
  EXPECT_TRUE(wire.empty());
}

}  // namespace
}  // namespace sluice::l7::http1::test
