// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::mgmt::daemon {

/// What all workers' counters say of the TLS engine.
struct TlsEngineState {
  std::uint64_t failures = 0;   ///< Operations so far, or handshakes.
  std::uint64_t stalls = 0;     ///< So far.
  std::uint32_t suspended = 0;  ///< Workers that do without it now.
  std::uint32_t workers = 0;
  bool in_place = true;         ///< What fails is done again in the same handshake; or else, with providers, the handshake fails.
};

/// Says when the TLS engine begins to fail, and when it has worked without a fault for kQuiet again. One thread.
class EngineWatch {
 public:
  static constexpr std::int64_t kQuiet = 10;  ///< seconds
  struct Notice {
    bool failing = false;
    std::string message;
  };
  /// `now`: Unix time, seconds.
  std::optional<Notice> look(const TlsEngineState& state, std::int64_t now);

 private:
  TlsEngineState last_;
  bool failing_ = false;
  std::int64_t trouble_ = 0;  ///< When there was some last.
};

}  // namespace sluice::mgmt::daemon
