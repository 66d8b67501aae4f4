// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>

#include "dataplane/net/packet.h"

namespace sluice::net {

/// Makes of one packet with OutPacket::segment_size those that a port with TSO would send: each with a copy of
/// the TCP header whose sequence number is its own; PSH and FIN on the last, CWR on the first (RFC 3168, 6.1.2).
/// Payload is shared, not copied.
class Segmenter {
 public:
  Segmenter(OutPacket&& packet, BufPool& buffers);

  /// The next one; none: that was all, or exhausted().
  std::optional<OutPacket> next();
  /// There was no memory: what is left will not be sent.
  bool exhausted() const { return exhausted_; }

 private:
  Buf next_header(bool last);

  OutPacket rest_;  // payload only
  BufPool& buffers_;
  std::array<std::uint8_t, 60> header_;
  std::uint8_t header_size_ = 0;
  std::uint16_t payload_;  // of each
  bool exhausted_ = false;
};

}  // namespace sluice::net
