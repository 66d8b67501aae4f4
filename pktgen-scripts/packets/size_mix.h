// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "pktgen-scripts/packets/packet_shape.h"

namespace sluice::pktgen::packets {

/// Which of `sizes` each packet of a round has: every size as often as its weight says, spread as evenly as
/// they go (each gains its weight a turn; the one with the most goes, and pays the whole round).
inline std::vector<std::uint8_t> size_round(const std::vector<FrameSize>& sizes) {
  std::int64_t all = 0;
  for (const FrameSize& s : sizes) all += s.weight;
  std::vector<std::int64_t> credit(sizes.size(), 0);
  std::vector<std::uint8_t> out;
  for (std::int64_t turn = 0; turn < all; ++turn) {
    std::size_t most = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      credit[i] += sizes[i].weight;
      if (credit[i] > credit[most]) most = i;
    }
    credit[most] -= all;
    out.push_back(static_cast<std::uint8_t>(most));
  }
  return out;
}

}  // namespace sluice::pktgen::packets
