// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/support/eal.h"

namespace sluice {
namespace {

/// RFC 1071 as its section 4.1 has it: one byte pair at a time.
std::uint16_t reference(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

TEST(InternetChecksum, AgreesWithTheExampleOfRfc1071) {
  const std::vector<std::uint8_t> bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(InternetChecksum().add(bytes).sum().value(), 0xddf2);
}

TEST(InternetChecksum, IsTheSameHoweverTheBytesAreCut) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint8_t> bytes(random() % 300);
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    InternetChecksum pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = std::min<std::size_t>(bytes.size() - at, 1 + random() % 40);
      pieces.add(std::span(bytes).subspan(at, n));
      at += n;
    }
    ASSERT_EQ(pieces.checksum().value(), reference(bytes));
  }
}

TEST(InternetChecksum, LongPiecesAddUpLikeShortOnes) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint8_t> bytes(200 + random() % 9000);
    for (auto& b : bytes) b = round % 10 == 0 ? 0xff : static_cast<std::uint8_t>(random());
    InternetChecksum pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = std::min<std::size_t>(bytes.size() - at, 1 + random() % 9000);
      pieces.add(std::span(bytes).subspan(at, n));
      at += n;
    }
    ASSERT_EQ(pieces.checksum().value(), reference(bytes));
  }
}

TEST(InternetChecksum, RunsOverChainsWithOddSegments) {
  const std::size_t before = test::free_buffers();
  {
    const std::string text = "the quick brown fox jumps over the lazy dog";
    const BufChain chain = test::chain_of(text, 7);
    EXPECT_EQ(InternetChecksum().add(chain).checksum().value(),
              reference(std::vector<std::uint8_t>(text.begin(), text.end())));
  }
  EXPECT_EQ(test::free_buffers(), before);
}

TEST(InternetChecksum, CoversThePseudoHeaderOfBothFamilies) {
  // A SYN captured from a kernel would do as well; here the header is built by hand from RFC 9293, 3.1.
  std::vector<std::uint8_t> v4{192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0, 3, 'a', 'b', 'c'};
  EXPECT_EQ(InternetChecksum()
                .add_pseudo_header(*IpAddr::parse("192.0.2.1"), *IpAddr::parse("198.51.100.2"), 6, 3)
                .add(std::span(v4).subspan(12))
                .checksum()
                .value(),
            reference(v4));
  std::vector<std::uint8_t> v6(40, 0);
  v6[0] = 0x20, v6[1] = 0x01, v6[15] = 1, v6[16] = 0xfe, v6[17] = 0x80, v6[31] = 9;
  v6[35] = 2, v6[39] = 17;
  v6.insert(v6.end(), {'x', 'y'});
  EXPECT_EQ(InternetChecksum()
                .add_pseudo_header(*IpAddr::parse("2001::1"), *IpAddr::parse("fe80::9"), 17, 2)
                .add(std::span(v6).subspan(40))
                .checksum()
                .value(),
            reference(v6));
}

TEST(InternetChecksum, IsValidOverAMessageThatHoldsItsOwn) {
  std::vector<std::uint8_t> bytes{1, 2, 0, 0, 5, 6, 7};
  const std::uint16_t raw = InternetChecksum().add(bytes).checksum().raw();
  std::memcpy(&bytes[2], &raw, 2);
  EXPECT_TRUE(InternetChecksum().add(bytes).valid());
  bytes[6] ^= 1;
  EXPECT_FALSE(InternetChecksum().add(bytes).valid());
}

}  // namespace
}  // namespace sluice
