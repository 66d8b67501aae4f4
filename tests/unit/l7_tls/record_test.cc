// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "l7/tls/record_sealer.h"
#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::buf_of;
using sluice::test::buffers;
using sluice::test::chain_of;
using sluice::test::free_buffers;
using Result = Records::Result;

constexpr int kBadRecordMac = 0x0214, kRecordOverflow = 0x0216, kUnexpectedMessage = 0x020a;

/// Protection of records, in each suite.
class Record : public testing::TestWithParam<int> {
 protected:
  ~Record() override { EXPECT_EQ(free_buffers(), before_); }
  std::uint16_t suite() const { return static_cast<std::uint16_t>(GetParam()); }
  bool tls13() const { return find_suite(suite())->tls13; }
  const std::size_t before_ = free_buffers();
};
INSTANTIATE_TEST_SUITE_P(Suite, Record, testing::Values(0x1301, 0x1302, 0x1303, 0xc02f, 0xc030, 0xcca8),
                         [](const auto& i) { return find_suite(static_cast<std::uint16_t>(i.param))->tls13
                                                        ? "Tls13_" + std::to_string(i.param & 15)
                                                        : "Tls12_" + std::to_string(i.param & 255); });

TEST_P(Record, WhatOneEndSealsTheOtherOpensInSegmentsOfAnySize) {
  const std::string text = pattern(40'000);
  for (const std::size_t source : {3, 700, 1448, 2000}) {
    for (const std::size_t segment : {1, 64, 1400, 2000}) {
      RecordLink l(suite());
      const std::string part = text.substr(0, source < 64 || segment < 64 ? 3000 : text.size());
      EXPECT_EQ(l.receive(l.seal(*l.client, chain_of(part, source)), segment), Result::kNeedMore);
      EXPECT_TRUE(l.opened == part) << source << " " << segment;
    }
  }
}

TEST_P(Record, MemoryThatOthersReferToIsNotWritten) {
  RecordLink l(suite());
  const std::string text = pattern(40'000);
  BufChain source = chain_of(text, 1448);
  const BufChain others = source.share(0, source.size(), buffers());
  const std::string wire = l.seal(*l.client, std::move(source));
  EXPECT_TRUE(others.to_string() == text);
  BufChain in = chain_of(wire, 1400);
  const BufChain seen = in.share(0, in.size(), buffers());
  l.server->queues.in = std::move(in);
  BufChain plain;
  EXPECT_EQ(l.server->records.open(plain, 1 << 20), Result::kNeedMore);
  EXPECT_TRUE(plain.to_string() == text);
  EXPECT_TRUE(seen.to_string() == wire);
}

TEST_P(Record, FullSegmentsWithoutRoomAroundThemAreSealedToo) {
  RecordLink l(suite());
  BufChain source;
  std::string text;
  for (int i = 0; i < 20; ++i) {
    Buf b = buffers().alloc();
    b.prepend(b.headroom());
    b.append(b.tailroom());
    const std::string bytes = pattern(b.size());
    std::copy(bytes.begin(), bytes.end(), b.data());
    text += bytes;
    source.push_back(std::move(b));
  }
  EXPECT_EQ(l.receive(l.seal(*l.client, std::move(source))), Result::kNeedMore);
  EXPECT_TRUE(l.opened == text);
}

TEST_P(Record, ExclusiveSegmentsBecomeTheRecordWithoutACopy) {
  RecordLink l(suite());
  l.seal(*l.client, chain_of(pattern(40'000)));  // past the small records
  BufChain source = chain_of(pattern(14'000), 1400);
  const auto* first = BufChain::view(source.front()).data();
  ASSERT_EQ(l.client->records.seal(source, l.now), Result::kDone);
  EXPECT_TRUE(source.empty());
  EXPECT_EQ(l.client->queues.out.segments(), 10u);
  const auto head = BufChain::view(l.client->queues.out.front());
  EXPECT_TRUE(first > head.data() && first < head.data() + head.size());
}

TEST_P(Record, AnyByteChangedIsNoticed) {
  std::size_t size = 0;
  {
    RecordLink l(suite());
    size = l.forge(ContentType::kApplicationData, "attack at dawn").size();
  }
  for (std::size_t i = 0; i < size; ++i) {
    for (const char flip : {1, -128}) {
      RecordLink l(suite());
      std::string wire = l.forge(ContentType::kApplicationData, "attack at dawn");
      wire[i] = static_cast<char>(wire[i] ^ flip);
      const Result r = l.receive(wire);
      EXPECT_EQ(l.opened, "");
      if (i == 3 || i == 4) {  // the length: too long, or not all of it there, or too short
        EXPECT_TRUE(r == Result::kFailed || r == Result::kNeedMore) << i;
      } else {
        EXPECT_EQ(r, Result::kFailed) << i;
      }
      if (i > 4) { EXPECT_EQ(l.alert_of_server(), kBadRecordMac); }
    }
  }
}

TEST_P(Record, ALargeRecordOverSeveralSegmentsIsRefusedForItsLastBit) {
  RecordLink l(suite());
  std::string wire = l.forge(ContentType::kApplicationData, pattern(16'384));
  wire.back() = static_cast<char>(wire.back() ^ 1);
  EXPECT_EQ(l.receive(wire), Result::kFailed);
  EXPECT_EQ(l.opened, "");
  EXPECT_EQ(l.alert_of_server(), kBadRecordMac);
}

TEST_P(Record, OutOfOrderTwiceOrMissingIsRefused) {
  {
    RecordLink l(suite());
    l.forge(ContentType::kApplicationData, "first");
    EXPECT_EQ(l.receive(l.forge(ContentType::kApplicationData, "second")), Result::kFailed);
  }
  RecordLink l(suite());
  const std::string wire = l.forge(ContentType::kApplicationData, "once");
  EXPECT_EQ(l.receive(wire), Result::kNeedMore);
  EXPECT_EQ(l.receive(wire), Result::kFailed);
  EXPECT_EQ(l.opened, "once");
  EXPECT_EQ(l.alert_of_server(), kBadRecordMac);
}

TEST_P(Record, APartOfARecordIsWaitedFor) {
  RecordLink l(suite());
  const std::string wire = l.forge(ContentType::kApplicationData, "some words");
  for (std::size_t i = 0; i + 1 < wire.size(); ++i) {
    ASSERT_EQ(l.receive(wire.substr(i, 1)), Result::kNeedMore);
    ASSERT_EQ(l.opened, "");
  }
  EXPECT_EQ(l.receive(wire.substr(wire.size() - 1)), Result::kNeedMore);
  EXPECT_EQ(l.opened, "some words");
}

TEST_P(Record, TheLongestIsTakenAndALongerOneRefusedByItsHeader) {
  RecordLink l(suite());
  EXPECT_EQ(l.receive(l.forge(ContentType::kApplicationData, pattern(16'384))), Result::kNeedMore);
  EXPECT_TRUE(l.opened == pattern(16'384));
  const std::string wire = l.forge(ContentType::kApplicationData, pattern(16'385));
  EXPECT_EQ(l.receive(wire.substr(0, 5)), Result::kFailed);
  EXPECT_EQ(l.alert_of_server(), kRecordOverflow);
}

TEST_P(Record, ShorterThanItsTagIsRefused) {
  for (const int length : {0, 1, 8, 15, 16}) {
    RecordLink l(suite());
    const std::string head = {0x17, 3, 3, 0, static_cast<char>(length)};
    if (length == 16 && suite() == 0xcca8) continue;  // an empty message
    EXPECT_EQ(l.receive(head + std::string(static_cast<std::size_t>(length), 'x')), Result::kFailed) << length;
    EXPECT_EQ(l.alert_of_server(), kBadRecordMac);
  }
}

TEST_P(Record, AnUnknownTypeOrChangeCipherSpecIsRefused) {
  for (const int type : {0, 19, 20, 24, 255}) {
    RecordLink l(suite());
    EXPECT_EQ(l.receive(l.forge(static_cast<ContentType>(type), type == 0 ? "" : "\x01")), Result::kFailed) << type;
    EXPECT_EQ(l.alert_of_server(), kUnexpectedMessage) << type;
  }
  RecordLink l(suite());
  EXPECT_EQ(l.receive(std::string("\x14\x03\x03\x00\x01\x01", 6)), Result::kFailed) << "in plain";
}

TEST_P(Record, PaddingIsTakenOffAndNothingButPaddingRefused) {
  if (!tls13()) return;
  for (const std::size_t segment : {1, 100, 1400}) {
    for (const std::size_t zeros : {0, 1, 300, 5000}) {
      RecordLink l(suite());
      const std::string content = "data" + std::string(1, '\x17') + std::string(zeros, '\0');
      EXPECT_EQ(l.receive(l.forge(ContentType{0}, content), segment), Result::kNeedMore);
      EXPECT_EQ(l.opened, "data");
      EXPECT_EQ(l.receive(l.forge(ContentType{0}, std::string(zeros, '\0')), segment), Result::kFailed);
      EXPECT_EQ(l.alert_of_server(), kUnexpectedMessage);
    }
  }
}

TEST_P(Record, ManySmallRecordsShareABuffer) {
  RecordLink l(suite());
  std::string wire;
  for (int i = 0; i < 1000; ++i) wire += l.forge(ContentType::kApplicationData, "x");
  l.server->queues.in = chain_of(wire);
  BufChain plain;
  EXPECT_EQ(l.server->records.open(plain, 1 << 20), Result::kNeedMore);
  EXPECT_EQ(plain.size(), 1000u);
  EXPECT_LE(plain.segments(), 2u);
}

TEST_P(Record, BeyondTheBoundOfAKeyItIsReplacedOrTheConnectionEnds) {
  RecordLink l(suite());
  l.tools->max_records = 4;
  for (int i = 0; i < 20; ++i) {
    BufChain plain(buf_of("data"));
    const Result r = l.client->records.seal(plain, l.now);
    if (tls13()) {
      ASSERT_EQ(r, Result::kDone);
      ASSERT_EQ(l.receive(l.client->queues.out.to_string()), Result::kNeedMore);
      l.client->queues.out.clear();
    } else if (r != Result::kDone) {
      EXPECT_EQ(i, 3) << "the first sequence number is 1";
      EXPECT_EQ(l.client->records.error(), "too many records for one key");
      return;
    }
  }
  EXPECT_TRUE(tls13());
  EXPECT_EQ(l.opened.size(), 80u);
}

}  // namespace
}  // namespace sluice::l7::tls::test
