// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "pktgen-scripts/appliance.h"
#include "pktgen-scripts/engine.h"

namespace sluice::pktgen {

/// What a run found.
struct Measurement {
  double seconds = 0;
  std::uint64_t count = 0;        ///< Operations.
  std::uint64_t connections = 0;  ///< Open at the end of the window.
  std::uint64_t bytes = 0;
  double offered = 0;  ///< Open loop: the rate that was asked; 0: closed loop.
  Histogram latency;
  std::uint64_t behind = 0, dropped = 0;
  double busy_share = 0;  ///< Of our worker.
  std::optional<ApplianceCounters> appliance;
  std::optional<double> highest_rate;  ///< find-rate.

  struct Totals {
    std::uint64_t operations = 0, opened = 0, answered = 0;
  };
  Totals whole_run;  ///< From the first probe to the end.

  double rate() const { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }
};

/// Warm-up, measured window, end. An error when anything went wrong: nothing is a result then.
Result<Measurement> measure(Engine& engine, const Options& options, const Shape& shape);

}  // namespace sluice::pktgen
