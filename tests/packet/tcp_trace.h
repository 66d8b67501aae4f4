// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l4/tcp/wire.h"

namespace sluice::test {

/// A segment as one line of a trace, with sequence numbers relative to each side's ISN:
///
///   FLAGS SEQ:END(LEN) [ack N] [win N] [ip not-ect|ect1|ect0|ce] [<option, option...>]
///
/// FLAGS: S F R P U, E for ECE, W for CWR and '.' for ACK ("S." is SYN,ACK), in this order. Options: `mss N`,
/// `sackOK`, `wscale N`, `TS val N ecr N`, `sack A:B C:D`. In an expectation a part that is left out is not
/// compared; `TS` alone means that there is one;
/// `<>` means that there are no options at all.
struct TraceSegment {
  std::string flags;
  std::uint32_t seq = 0, length = 0;
  std::optional<std::uint32_t> ack, window;
  std::optional<std::uint8_t> ip;  ///< The ECN field of the packet.
  bool options_given = false;
  std::optional<std::uint32_t> mss, wscale, ts_value, ts_echo;
  bool sack_ok = false, ts = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sack;

  /// Aborts the test with a message when the line cannot be read.
  static TraceSegment parse(std::string_view line);
  std::string to_string() const;
  /// Whether `actual` has everything that this expectation says.
  bool matches(const TraceSegment& actual) const;
};

}  // namespace sluice::test
