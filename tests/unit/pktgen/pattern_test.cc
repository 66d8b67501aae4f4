// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::pktgen {
namespace {

using testing::HasSubstr;

TEST(Pattern, MatchesItselfInAnyPieces) {
  const Pattern p(100'000);
  for (const std::size_t piece : {1u, 7u, 1448u, 65536u}) {
    for (std::size_t at = 0; at < p.size(); at += piece) {
      const auto part = p.bytes().subspan(at, std::min<std::size_t>(piece, p.size() - at));
      ASSERT_TRUE(p.matches(at, part)) << at;
    }
  }
}

TEST(Pattern, FindsAnySingleFlippedByteAndNamesIt) {
  const Pattern p(4096);
  std::vector<std::uint8_t> got(p.bytes().begin(), p.bytes().end());
  for (std::size_t i = 0; i < got.size(); ++i) {
    got[i] ^= 1;
    ASSERT_FALSE(p.matches(0, got)) << i;
    got[i] ^= 1;
  }
  got[4000] = static_cast<std::uint8_t>(~got[4000]);
  EXPECT_THAT(p.difference(0, got).value(), HasSubstr("byte 4000 of 4096 is"));
  EXPECT_FALSE(p.difference(0, p.bytes()).has_value());
}

TEST(Pattern, FindsShiftedAndRepeatedBytes) {
  const Pattern p(8192);
  for (const std::size_t shift : {1u, 2u, 4u, 8u, 256u, 1448u, 4096u}) {
    EXPECT_FALSE(p.matches(shift, p.bytes().first(1000))) << shift;
  }
}

TEST(Pattern, OfAnotherSizeIsAnother) {
  EXPECT_FALSE(Pattern(1000).matches(0, Pattern(1001).bytes().first(100)));
}

TEST(Pattern, FindsBytesBehindItsEnd) {
  const Pattern p(10);
  std::vector<std::uint8_t> got(p.bytes().begin(), p.bytes().end());
  got.push_back(0);
  EXPECT_FALSE(p.matches(0, got));
  EXPECT_THAT(p.difference(0, got).value(), HasSubstr("11 bytes came, the body has 10"));
  EXPECT_FALSE(p.matches(11, {}));
  EXPECT_TRUE(Pattern(0).matches(0, {}));
}

}  // namespace
}  // namespace sluice::pktgen
