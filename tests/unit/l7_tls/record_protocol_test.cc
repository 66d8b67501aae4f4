// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/l7_tls/record_link.h"

namespace sluice::l7::tls::test {
namespace {

using sluice::test::buf_of;
using sluice::test::free_buffers;
using Result = Records::Result;

constexpr std::uint16_t kTls13 = 0x1301, kTls12 = 0xc02f;
constexpr int kUnexpectedMessage = 0x020a, kIllegalParameter = 0x022f, kDecodeError = 0x0232, kNoRenegotiation = 0x0164;
constexpr ContentType kData = ContentType::kApplicationData, kAlert = ContentType::kAlert,
                      kMessage = ContentType::kHandshake;
const std::string kUpdate("\x18\0\0\1\0", 5), kUpdateAndAnswer("\x18\0\0\1\1", 5);

/// What records mean, behind their protection.
class Protocol : public testing::Test {
 protected:
  ~Protocol() override { EXPECT_EQ(free_buffers(), before_); }

  static std::string forge(RecordLink& l, std::initializer_list<std::pair<ContentType, std::string>> records) {
    std::string wire;
    for (const auto& [type, content] : records) wire += l.forge(type, content);
    return wire;
  }

  /// All of it at once ends the connection of TLS 1.3 with that alert, and what came before is there.
  static void expect_refused(std::initializer_list<std::pair<ContentType, std::string>> records, int alert,
                             std::uint16_t suite = kTls13) {
    RecordLink l(suite);
    EXPECT_EQ(l.receive(forge(l, records)), Result::kFailed);
    EXPECT_EQ(l.alert_of_server(), alert);
    EXPECT_FALSE(l.server->records.error().empty());
  }

  const std::size_t before_ = free_buffers();
};

TEST_F(Protocol, AKeyUpdateChangesTheKeyOfReading) {
  RecordLink l(kTls13);
  for (int i = 0; i < 5; ++i) {
    std::string wire = forge(l, {{kData, "old "}, {kMessage, kUpdate}});
    l.rekey_forger();
    wire += l.forge(kData, "new ");
    EXPECT_EQ(l.receive(wire), Result::kNeedMore);
  }
  EXPECT_EQ(l.opened, "old new old new old new old new old new ");
  EXPECT_TRUE(l.server->queues.out.empty()) << "no answer was asked for";
}

TEST_F(Protocol, TheOldKeyIsOfNoUseBehindAKeyUpdate) {
  RecordLink l(kTls13);
  const std::string wire = forge(l, {{kMessage, kUpdate}, {kData, "old"}});
  EXPECT_EQ(l.receive(wire), Result::kFailed);
  EXPECT_EQ(l.opened, "");
}

TEST_F(Protocol, ManyRequestedUpdatesGetOneAnswerInFrontOfTheNextData) {
  RecordLink l(kTls13);
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(l.receive(l.forge(kMessage, kUpdateAndAnswer)), Result::kNeedMore);
    l.rekey_forger();
  }
  EXPECT_TRUE(l.server->queues.out.empty());
  const std::string first = l.seal(*l.server, BufChain(buf_of("data")));
  EXPECT_EQ(first.size(), (5u + 5 + 17) + (5 + 4 + 17));
  const std::string second = l.seal(*l.server, BufChain(buf_of("data")));
  EXPECT_EQ(second.size(), 5u + 4 + 17);
  l.client->queues.in = sluice::test::chain_of(first + second);
  BufChain plain;
  EXPECT_EQ(l.client->records.open(plain, 100), Result::kNeedMore);
  EXPECT_EQ(plain.to_string(), "datadata");
}

TEST_F(Protocol, AKeyUpdateMayComeInPieces) {
  RecordLink l(kTls13);
  for (const char c : kUpdate) ASSERT_EQ(l.receive(l.forge(kMessage, {&c, 1})), Result::kNeedMore);
  l.rekey_forger();
  EXPECT_EQ(l.receive(l.forge(kData, "new")), Result::kNeedMore);
  EXPECT_EQ(l.opened, "new");
}

TEST_F(Protocol, ABadKeyUpdateIsRefused) {
  expect_refused({{kMessage, std::string("\x18\0\0\1\2", 5)}}, kIllegalParameter);
  expect_refused({{kMessage, std::string("\x18\0\0\2\0", 5)}}, kDecodeError);
  expect_refused({{kMessage, std::string("\x18\1\0\1\0", 5)}}, kDecodeError);
  expect_refused({{kMessage, kUpdate + kUpdate}}, kUnexpectedMessage);
  expect_refused({{kMessage, kUpdate + "\x18"}}, kUnexpectedMessage);
  expect_refused({{kMessage, kUpdate.substr(0, 3)}, {kData, "between"}}, kUnexpectedMessage);
}

TEST_F(Protocol, OtherHandshakeMessagesAreRefused) {
  for (const char type : {0, 1, 2, 4, 5, 8, 11, 13, 15, 20}) {
    expect_refused({{kMessage, std::string(1, type) + std::string("\0\0\0", 3)}}, kUnexpectedMessage);
  }
  expect_refused({{kMessage, ""}}, kUnexpectedMessage);
  expect_refused({{kMessage, std::string(1000, 'x')}}, kUnexpectedMessage);
}

TEST_F(Protocol, RecordsWithoutDataAreBoundedInARow) {
  for (const std::uint16_t suite : {kTls13, kTls12}) {
    RecordLink l(suite);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < kMaxQuiet; ++i) ASSERT_EQ(l.receive(l.forge(kData, "")), Result::kNeedMore);
      ASSERT_EQ(l.receive(l.forge(kData, "x")), Result::kNeedMore);
    }
    for (int i = 0; i < kMaxQuiet; ++i) ASSERT_EQ(l.receive(l.forge(kData, "")), Result::kNeedMore);
    EXPECT_EQ(l.receive(l.forge(kData, "")), Result::kFailed);
    EXPECT_EQ(l.alert_of_server(), kUnexpectedMessage);
  }
}

TEST_F(Protocol, AFloodOfKeyUpdatesIsBounded) {
  RecordLink l(kTls13);
  for (int i = 0; i < kMaxQuiet; ++i) {
    ASSERT_EQ(l.receive(l.forge(kMessage, kUpdateAndAnswer)), Result::kNeedMore);
    l.rekey_forger();
  }
  EXPECT_EQ(l.receive(l.forge(kMessage, kUpdate)), Result::kFailed);
}

TEST_F(Protocol, AlertsMeanWhatTheyMeanInTheirVersion) {
  const std::string close("\1\0", 2), canceled("\1\x5a", 2), warning("\1\x70", 2), fatal("\2\x28", 2);
  for (const std::uint16_t suite : {kTls13, kTls12}) {
    RecordLink l(suite);
    EXPECT_EQ(l.receive(forge(l, {{kData, "bye"}, {kAlert, canceled}, {kAlert, close}})), Result::kClosed);
    EXPECT_EQ(l.opened, "bye");
    EXPECT_TRUE(l.server->queues.out.empty());
    RecordLink m(suite);
    EXPECT_EQ(m.receive(m.forge(kAlert, fatal)), Result::kFailed);
    EXPECT_EQ(m.server->records.error(), "alert handshake failure");
    EXPECT_TRUE(m.server->queues.out.empty()) << "an alert is not answered";
  }
  RecordLink old(kTls12);
  EXPECT_EQ(old.receive(forge(old, {{kAlert, warning}, {kData, "on"}})), Result::kNeedMore);
  EXPECT_EQ(old.opened, "on");
  RecordLink current(kTls13);
  EXPECT_EQ(current.receive(current.forge(kAlert, warning)), Result::kFailed) << "all are fatal in TLS 1.3";
}

TEST_F(Protocol, AnAlertOfAnotherLengthIsRefused) {
  for (const std::uint16_t suite : {kTls13, kTls12}) {
    expect_refused({{kAlert, ""}}, kDecodeError, suite);
    expect_refused({{kAlert, "\2"}}, kDecodeError, suite);
    expect_refused({{kAlert, std::string("\1\0\1\0", 4)}}, kDecodeError, suite);
  }
}

TEST_F(Protocol, ANewHandshakeOfTls12IsRefusedByAWarningAndAnythingElseEndsIt) {
  RecordLink l(kTls12);
  const std::string hello("\1\0\0\2xx", 6);
  EXPECT_EQ(l.receive(forge(l, {{kMessage, hello}, {kData, "on"}})), Result::kNeedMore);
  EXPECT_EQ(l.alert_of_server(), kNoRenegotiation);
  EXPECT_EQ(l.opened, "on");
  expect_refused({{kMessage, std::string("\0\0\0\0", 4)}}, kUnexpectedMessage, kTls12);
  expect_refused({{kMessage, kUpdate}}, kUnexpectedMessage, kTls12);
  expect_refused({{kMessage, ""}}, kUnexpectedMessage, kTls12);
}

TEST_F(Protocol, OpeningGoesOnBehindOurCloseNotify) {
  for (const std::uint16_t suite : {kTls13, kTls12}) {
    RecordLink l(suite);
    ASSERT_EQ(l.server->records.close(), Result::kDone);
    EXPECT_EQ(l.receive(l.forge(kData, "still")), Result::kNeedMore);
    EXPECT_EQ(l.opened, "still");
  }
}

TEST_F(Protocol, OfAnotherVersionARecordOfTls12IsRefused) {
  RecordLink l(kTls12);
  std::string wire = l.forge(kData, "x");
  wire[2] = 1;
  EXPECT_EQ(l.receive(wire), Result::kFailed);
  EXPECT_EQ(l.server->records.error(), "wrong version number");
}

}  // namespace
}  // namespace sluice::l7::tls::test
