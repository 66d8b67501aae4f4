// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace sluice::l4::tcp {

/// SipHash-2-4 (Aumasson and Bernstein 2012) over whole 64-bit words: a keyed hash that an outsider can
/// neither predict nor invert, cheap enough for each SYN. The length is part of the hash, as in the paper.
inline std::uint64_t siphash(std::uint64_t k0, std::uint64_t k1, std::span<const std::uint64_t> words) {
  std::uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
  std::uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
  const auto rounds = [&](int n) {
    while (n-- > 0) {
      v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
    }
  };
  const auto absorb = [&](std::uint64_t m) {
    v3 ^= m;
    rounds(2);
    v0 ^= m;
  };
  for (const std::uint64_t w : words) absorb(w);
  absorb(static_cast<std::uint64_t>(words.size() * 8) << 56);
  v2 ^= 0xff;
  rounds(4);
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace sluice::l4::tcp
