// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::l4::tcp {

/// Proportional rate reduction (RFC 9937): how much may be sent for each ACK of a recovery, so that the
/// window comes down to ssthresh over one round trip, without a pause and without a burst. Bytes.
class Prr {
 public:
  /// `flight`: bytes from snd_una to snd_nxt when the loss was found, less what was SACKed before that ACK.
  void begin(std::uint32_t flight) {
    delivered_ = out_ = 0;
    recover_fs_ = std::max(flight, 1u);
  }
  void sent(std::uint32_t bytes) { out_ += bytes; }
  /// The new cwnd. `safe`: the ACK moved snd_una and showed no further loss.
  std::uint32_t on_ack(std::uint32_t delivered, std::uint32_t in_flight, std::uint32_t ssthresh,
                       std::uint32_t mss, bool safe) {
    delivered_ += delivered;
    std::uint64_t send = 0;
    if (in_flight > ssthresh) {
      const std::uint64_t share = (std::uint64_t{delivered_} * ssthresh + recover_fs_ - 1) / recover_fs_;
      send = share > out_ ? share - out_ : 0;
    } else {
      std::uint64_t limit = std::max(delivered_ > out_ ? delivered_ - out_ : 0, delivered);
      if (safe) limit += mss;
      send = std::min<std::uint64_t>(ssthresh - in_flight, limit);
    }
    if (out_ == 0) send = std::max<std::uint64_t>(send, mss);  // the fast retransmit itself
    return in_flight + static_cast<std::uint32_t>(std::min<std::uint64_t>(send, 1u << 30));
  }

 private:
  std::uint32_t delivered_ = 0, out_ = 0, recover_fs_ = 1;
};

}  // namespace sluice::l4::tcp
