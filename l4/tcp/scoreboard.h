// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "l4/tcp/wire.h"

namespace sluice::l4::tcp {

/// What the peer has reported by SACK above snd_una (RFC 6675, 3 and 4): sorted disjoint ranges. When more
/// ranges come than there is room for, the newest are not recorded, which costs a needless retransmission and
/// no harm.
class Scoreboard {
 public:
  static constexpr std::size_t kRanges = 32;
  static constexpr std::size_t kDupThresh = 3;

  bool empty() const { return count_ == 0; }
  std::uint32_t bytes() const { return bytes_; }
  std::size_t ranges() const { return count_; }
  /// Only when not empty.
  SeqNum first() const { return ranges_[0].begin; }
  SeqNum highest() const { return ranges_[count_ - 1].end; }

  /// Update(): records a block that lies within (snd_una, snd_max]. Returns the bytes that were news.
  std::uint32_t add(SackBlock block);
  /// snd_una has moved.
  void acknowledge(SeqNum una);
  void clear() { count_ = 0, bytes_ = 0; }

  /// IsLost(): DupThresh ranges, or more than DupThresh - 1 full segments, were SACKed above `seq`.
  bool is_lost(SeqNum seq, std::uint32_t mss) const;
  /// SetPipe(): bytes that are believed to be in flight between `una` and `max`, those retransmitted up to
  /// `high_rxt` included.
  std::uint32_t pipe(SeqNum una, SeqNum high_rxt, SeqNum max, std::uint32_t mss) const;
  /// The first bytes at or after `from`, below the highest SACKed, that were not SACKed.
  std::optional<SackBlock> hole(SeqNum from) const;
  /// Where `seq` gets to when it skips what was SACKed.
  SeqNum skip(SeqNum seq) const;
  /// SACKed bytes below `seq`.
  std::uint32_t bytes_below(SeqNum seq) const;

 private:
  void erase(std::size_t first, std::size_t last);

  std::array<SackBlock, kRanges> ranges_{};
  std::uint32_t bytes_ = 0;
  std::size_t count_ = 0;
};

}  // namespace sluice::l4::tcp
