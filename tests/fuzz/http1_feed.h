// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/buf.h"
#include "tests/fuzz/input.h"
#include "tests/support/eal.h"

/// Shared by the HTTP/1 fuzz targets.
namespace sluice::fuzz {

/// Cuts `text` into calls of segments, by a small generator: seed 0 is one call of large segments.
inline std::vector<BufChain> cut(std::string_view text, std::uint32_t seed) {
  std::vector<BufChain> calls;
  if (seed == 0) {
    calls.push_back(test::chain_of(text));
    return calls;
  }
  const auto next = [&seed](std::uint32_t limit) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
  };
  while (!text.empty()) {
    const std::size_t n = std::min<std::size_t>(text.size(), 1 + next(next(3) == 0 ? 200 : 8));
    if (calls.empty() || next(2) == 0) calls.emplace_back();
    calls.back().append(test::chain_of(text.substr(0, n)));
    text.remove_prefix(n);
  }
  return calls;
}

/// The first two bytes of an input are the seed of its cut; the test's buffers bound the rest.
struct Input {
  std::uint32_t seed = 1;
  std::string_view text;
  static constexpr std::size_t kMax = 4000;
  Input(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return;
    seed = 1u + data[0] + 256u * data[1];
    text = {reinterpret_cast<const char*>(data) + 2, std::min(size - 2, kMax)};
  }
};

inline bool inside(std::string_view view, std::span<const std::uint8_t> storage) {
  const auto* start = reinterpret_cast<const char*>(storage.data());
  return view.empty() || (view.data() >= start && view.data() + view.size() <= start + storage.size());
}

}  // namespace sluice::fuzz
