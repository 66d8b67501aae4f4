// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "dataplane/worker/tsc_clock.h"
#include "pktgen-scripts/packets/wire_end.h"

namespace sluice::pktgen::packets {

/// What came of a stretch of load.
struct LoadResult {
  double seconds = 0;
  std::uint64_t sent = 0, due = 0;  ///< On the wire; asked by the rate (0: no rate).
  Tally tally;                      ///< Including what still came in a short while after.
  std::uint64_t returned() const { return tally.of(Seen::kReturned); }
};

/// Makes the packets of a shape and looks at what comes back. Each function runs to its end on the
/// generator's core; one at a time.
class PacketLoad {
 public:
  /// `ends.theirs` is known. Both ends may be the same; answers are looked for on both.
  PacketLoad(const PacketShape& shape, const Flows& flows, const Ends& ends, WireEnd& clients,
             WireEnd* backends);

  /// Makes the frames' buffers.
  Status prepare();
  /// Opens the connections of kEstablished; others have none. An error says how many did not open.
  Status connect();
  /// Resets them.
  void disconnect();
  /// `rate`: packets a second; 0: as fast as they are taken.
  LoadResult run(double rate, Duration length);

 private:
  void receive(Tally& tally);
  void look(std::span<const std::uint8_t> frame, Tally& tally);
  void fault(Seen seen, const Look& look, Tally& tally) const;
  void fill(std::uint64_t n);
  rte_mbuf* next_frame();
  std::uint32_t first_seq(std::uint64_t flow) const { return static_cast<std::uint32_t>(flow * 2654435761u); }
  bool send_segment(const FramePool& pool, std::uint64_t flow, std::uint32_t seq, std::uint32_t ack);
  void connect_round();
  void linger(Tally& tally, Duration quiet);

  const PacketShape& shape_;
  const Flows flows_;
  const Ends ends_;
  WireEnd& clients_;
  WireEnd* backends_;
  const TscClock clock_;
  std::vector<FramePool> pools_;  ///< A size each.
  std::vector<FramePool> setup_;  ///< kEstablished: SYN, ACK, RST.
  std::vector<std::uint8_t> round_;
  std::uint64_t number_ = 0;  ///< Of the next packet.
  std::uint64_t flow_ = 0;    ///< Its flow.
  std::size_t in_round_ = 0;

  struct Connection {
    std::uint32_t ack = 0;
    bool open = false;
  };
  std::vector<Connection> connections_;
  std::uint64_t opened_ = 0;
  bool connecting_ = false;
};

/// The MAC address of who has `wanted`, asked by ARP; none: nobody answers within `patience`.
std::optional<MacAddr> resolve(WireEnd& end, rte_mempool* buffers, std::uint32_t own, std::uint32_t wanted,
                               Duration patience);

}  // namespace sluice::pktgen::packets
