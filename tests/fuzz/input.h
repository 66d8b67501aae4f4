// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// Shared by the fuzz targets.
namespace sluice::fuzz {

/// Ends the run with what does not hold.
inline void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// An input that is read from its front; behind its end there are zeros.
struct Bytes {
  std::uint8_t byte() {
    if (rest.empty()) return 0;
    const auto out = static_cast<std::uint8_t>(rest[0]);
    rest.remove_prefix(1);
    return out;
  }
  std::size_t word() {
    const std::size_t high = byte();
    return high << 8 | byte();
  }
  std::string_view take(std::size_t n) {
    const std::string_view out = rest.substr(0, n);
    rest.remove_prefix(out.size());
    return out;
  }
  std::string_view rest;
};

}  // namespace sluice::fuzz
