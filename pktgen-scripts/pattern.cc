// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sluice::pktgen {
namespace {

/// splitmix64's finaliser: all bits of the result depend on all bits of `x`.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Pattern::Pattern(std::size_t size) : bytes_(size) {
  for (std::size_t at = 0; at < size; at += 8) {
    const std::uint64_t word = mix((std::uint64_t{size} << 32) + at + 1);
    std::memcpy(bytes_.data() + at, &word, std::min<std::size_t>(8, size - at));
  }
}

bool Pattern::matches(std::size_t offset, std::span<const std::uint8_t> got) const {
  return offset <= size() && got.size() <= size() - offset &&
         (got.empty() || std::memcmp(bytes_.data() + offset, got.data(), got.size()) == 0);
}

std::optional<std::string> Pattern::difference(std::size_t offset, std::span<const std::uint8_t> got) const {
  if (matches(offset, got)) return std::nullopt;
  for (std::size_t i = 0; i < got.size() && offset + i < size(); ++i) {
    if (got[i] != bytes_[offset + i]) {
      return fmt::format("byte {} of {} is 0x{:02x}, not 0x{:02x}", offset + i, size(), got[i],
                         bytes_[offset + i]);
    }
  }
  return fmt::format("{} bytes came, the body has {}", offset + got.size(), size());
}

}  // namespace sluice::pktgen
