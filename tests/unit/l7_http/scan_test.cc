// SPDX-License-Identifier: Apache-2.0
// The scanners that look at 16 bytes at a time say what looking at each byte says.
#include <gtest/gtest.h>

#include <memory>

#include "l7/http1/scan.h"

namespace sluice::l7::http1 {
namespace {

using Find = std::size_t (*)(std::string_view);
using Belongs = bool (*)(char);

void agree(Find find, Belongs belongs, char fill) {
  for (std::size_t size = 0; size < 50; ++size) {
    // A heap block of exactly this size, so that reading past it is found.
    const auto block = std::make_unique<char[]>(size);
    for (std::size_t at = 0; at <= size; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::fill_n(block.get(), size, fill);
        if (at < size) block[at] = static_cast<char>(c);
        const std::size_t expected = at < size && !belongs(static_cast<char>(c)) ? at : size;
        ASSERT_EQ(find({block.get(), size}), expected) << size << " bytes, " << c << " at " << at;
      }
    }
  }
}

bool is_target_char(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x21 && u <= 0x7e && u != '#';
}

TEST(Scan, TokensEndAtTheFirstOtherCharacter) { agree(find_not_token, is_token_char, 'x'); }
TEST(Scan, ValuesEndAtTheFirstControlCharacter) { agree(find_not_value, is_value_char, ' '); }
TEST(Scan, TargetsEndAtTheFirstOtherCharacter) { agree(find_not_target, is_target_char, '/'); }

TEST(Scan, TheFirstOfSeveralIsFound) {
  EXPECT_EQ(find_not_token("abcdefghijklmnop:qrst:uvw"), 16u);
  EXPECT_EQ(find_not_value("0123456789abcdef0\r23456789abcdef\r"), 17u);
  EXPECT_EQ(find_not_target("/0123456789abcdef01234 HTTP/1.1 "), 22u);
}

TEST(Scan, AnEmptyTextIsNoToken) { EXPECT_FALSE(is_token("")); }

}  // namespace
}  // namespace sluice::l7::http1
