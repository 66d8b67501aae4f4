// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "pktgen-scripts/appliance.h"
#include "pktgen-scripts/options.h"
#include "pktgen-scripts/packets/packet_load.h"

namespace sluice::pktgen::packets {

/// What a run found.
struct PacketMeasurement {
  LoadResult load;
  double offered = 0;  ///< Packets a second that were asked; 0: as fast as they are taken.
  std::optional<ApplianceCounters> appliance;  ///< In the same time.
  std::optional<double> highest_rate;          ///< find-rate.

  double rate() const { return load.seconds > 0 ? static_cast<double>(load.sent) / load.seconds : 0; }
  /// Sent and neither come back nor taken by the appliance, as far as that is known.
  std::optional<std::uint64_t> lost(const PacketShape& shape) const;
};

/// Ports, connections, warm-up, measured window, end. An error when anything went wrong: nothing is a result
/// then. `options.backends` may be empty.
Result<PacketMeasurement> run_packets(const Options& options, const PacketShape& shape);

std::string as_table(const PacketMeasurement& m, const PacketShape& shape);
std::string as_json(const PacketMeasurement& m, const PacketShape& shape);

}  // namespace sluice::pktgen::packets
