// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::pktgen::packets {

/// What a packet is.
enum class Kind : std::uint8_t {
  kUdp,          ///< Datagrams with a tag in the payload.
  kSyn,          ///< SYN with an MSS, from sources that nobody stands behind: a SYN flood.
  kSegment,      ///< ACK segments of connections that do not exist.
  kEstablished,  ///< ACK segments of connections that were opened before.
};

/// One frame size, without the frame check sequence, and how many of a round have it.
struct FrameSize {
  std::uint16_t bytes = 60;
  std::uint32_t weight = 1;
};

/// A load of single packets, as a file of `shapes/` with kind "packets" describes it.
struct PacketShape {
  std::string name;
  std::string description;
  Kind kind = Kind::kUdp;
  std::vector<FrameSize> sizes{{}};
  std::uint64_t flows = 1;             ///< Sources (address, port), all in turn.
  std::uint32_t client_addresses = 1;  ///< 1: the port's own; else of the client net.
  std::uint64_t rate = 0;              ///< Packets a second, on schedule; 0: as fast as they are taken.
  std::uint32_t burst = 32;
  /// How many of a million may be lost while find-rate holds a rate for good.
  std::uint32_t loss_ppm = 1000;
  /// True: what is sent comes back, from a forwarder. False: the appliance takes or answers it.
  bool returned = false;
};

/// Ports that flows use, at one address.
inline constexpr std::uint64_t kFirstPort = 1024, kPorts = 65536 - kFirstPort;

/// Reads a shape strictly; the error has a line for each fault, as sluice.conf's have.
Result<PacketShape> load_packet_shape(const std::string& path);
Result<PacketShape> parse_packet_shape(const std::string& text, const std::string& name);
/// Whether the file is for this engine; one that cannot be read is not.
bool is_packet_shape(const std::string& path);

}  // namespace sluice::pktgen::packets
