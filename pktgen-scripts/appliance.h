// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/base/result.h"

namespace sluice::pktgen {

/// What the appliance counts of itself, summed over its workers, since its start.
struct ApplianceCounters {
  double busy_seconds = 0;
  std::uint64_t busy_cycles = 0, packets = 0, connections = 0, requests = 0, handshakes = 0, drops = 0;
  std::uint64_t received = 0;  ///< Of `packets`.

  ApplianceCounters since(const ApplianceCounters& before) const;
};

/// Reads them from its /metrics.
class Appliance {
 public:
  /// `url`: "https://127.0.0.1:8443", whose certificate is not checked (it is its own). An empty
  /// `token_file`: no token.
  static Result<Appliance> at(const std::string& url, const std::string& token_file);
  Result<ApplianceCounters> read() const;

 private:
  std::string url_, token_;
};

/// Of an appliance that may not be named: then nothing.
Result<std::optional<ApplianceCounters>> counters_of(const std::optional<Appliance>& appliance);
/// What it has done since `before`, which counters_of() gave.
Result<std::optional<ApplianceCounters>> spent_since(const std::optional<Appliance>& appliance,
                                                     const std::optional<ApplianceCounters>& before);

/// From Prometheus' text.
Result<ApplianceCounters> parse_counters(const std::string& text);

}  // namespace sluice::pktgen
