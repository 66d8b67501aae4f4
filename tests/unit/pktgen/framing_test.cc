// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/framing.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::pktgen {
namespace {

using testing::HasSubstr;

/// Answers with the body of `size` bytes, and a reader of them.
struct FramingTest : testing::TestWithParam<std::size_t> {
  explicit FramingTest(std::size_t size = 1000) : body(size) {
    rules.start = "HTTP/1.1 200 ";
    rules.wrong_start = Verdict::kStatus;
    rules.body = &body;
  }
  std::string message(const std::string& extra = "") const {
    return fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n", extra, body.size()) +
           text_of_body();
  }
  std::string text_of_body() const { return {body.bytes().begin(), body.bytes().end()}; }
  Verdict feed(const std::string& text, std::size_t piece = SIZE_MAX) {
    Verdict v = Verdict::kMore;
    for (std::size_t at = 0; at < text.size() && v == Verdict::kMore; at += piece) {
      const std::string part = text.substr(at, piece);
      v = reader.feed({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()}, rules, why);
      if (piece == SIZE_MAX) break;
    }
    return v;
  }

  const Pattern body;
  MessageRules rules;
  MessageReader reader;
  std::string why;
};

TEST_P(FramingTest, AMessageInPiecesOfAnySizeIsComplete) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(feed(message(), GetParam()), Verdict::kComplete) << why;
  EXPECT_TRUE(reader.fresh());
}
INSTANTIATE_TEST_SUITE_P(Pieces, FramingTest, testing::Values(1, 2, 3, 4, 5, 17, 40, 63, 64, 1000, 100000));

using Framing = FramingTest;

TEST_F(Framing, AMessageWithoutABodyIsCompleteWithItsHead) {
  const Pattern none(0);
  rules.body = &none;
  EXPECT_EQ(feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Verdict::kComplete);
  EXPECT_EQ(feed("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"), Verdict::kComplete);
}

TEST_F(Framing, EveryFlippedByteOfTheBodyIsFoundAlsoBehindAKnownHead) {
  ASSERT_EQ(feed(message()), Verdict::kComplete);
  for (const std::size_t at : {0u, 1u, 500u, 999u}) {
    std::string wrong = message();
    wrong[wrong.size() - 1000 + at] = static_cast<char>(wrong[wrong.size() - 1000 + at] ^ 4);
    reader = {};
    EXPECT_EQ(feed(wrong, 700), Verdict::kBody);
    EXPECT_THAT(why, HasSubstr(fmt::format("byte {} of 1000", at)));
  }
}

TEST_F(Framing, AByteTooManyIsFound) {
  EXPECT_EQ(feed(message() + "x"), Verdict::kBody);
  EXPECT_THAT(why, HasSubstr("1001 bytes came"));
}

TEST_F(Framing, AnotherStatusIsToldWithItsLine) {
  EXPECT_EQ(feed("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), Verdict::kStatus);
  EXPECT_THAT(why, HasSubstr("HTTP/1.1 503 Service Unavailable"));
}

TEST_F(Framing, AnotherLengthIsToldAndNotWaitedFor) {
  EXPECT_EQ(feed("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"), Verdict::kHead);
  EXPECT_THAT(why, HasSubstr("\"999\""));
  for (const char* length : {"", "1000x", "-1", " 1000 1", "99999999999999999999999"}) {
    reader = {};
    EXPECT_EQ(feed(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", length)), Verdict::kHead)
        << length;
  }
}

TEST_F(Framing, AChunkedBodyIsNotWhatABackendSends) {
  EXPECT_EQ(feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1000\r\n\r\n"),
            Verdict::kHead);
}

TEST_F(Framing, AHeadWithoutEndIsNotCollectedForEver) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i) head += "X-Padding: 0123456789\r\n";
  EXPECT_EQ(feed(head, 1000), Verdict::kHead);
  EXPECT_THAT(why, HasSubstr("no end of the head"));
}

TEST_F(Framing, CloseIsToldOfTheHeadThatAskedForIt) {
  ASSERT_EQ(feed(message("connection:  Close \r\n")), Verdict::kComplete);
  EXPECT_TRUE(reader.close());
  ASSERT_EQ(feed(message("connection:  Close \r\n")), Verdict::kComplete);
  EXPECT_TRUE(reader.close());
  ASSERT_EQ(feed(message()), Verdict::kComplete);
  EXPECT_FALSE(reader.close());
}

TEST_F(Framing, AFieldIsFoundByItsWholeNameAlone) {
  EXPECT_EQ(field("A: 1\r\nX-Content-Length: 2\r\nCONTENT-length:\t3 \r\n\r\n", "content-length"), "3");
  EXPECT_EQ(field("GET / HTTP/1.1\r\nContent-Length2: 2\r\n\r\n", "content-length"), "");
}

}  // namespace
}  // namespace sluice::pktgen
