// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/engine_watch.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::mgmt::daemon {

std::optional<EngineWatch::Notice> EngineWatch::look(const TlsEngineState& state, std::int64_t now) {
  const std::uint64_t failures = state.failures - last_.failures, stalls = state.stalls - last_.stalls;
  last_ = state;
  if (failures != 0 || stalls != 0 || state.suspended != 0) {
    trouble_ = now;
    if (std::exchange(failing_, true)) return std::nullopt;
    std::string message = stalls != 0 ? "it had handshakes and finished none for a second"
                                      : fmt::format("{} {}", failures,
                                                    state.in_place ? "operation(s) failed and were done in software" : "handshake(s) failed");
    if (state.suspended != 0) {
      message += fmt::format("; {} of {} worker(s) do without it and try it again every 10 s", state.suspended, state.workers);
    }
    return Notice{true, std::move(message)};
  }
  if (!failing_ || now - trouble_ < kQuiet) return std::nullopt;
  failing_ = false;
  return Notice{false, "it works again"};
}

}  // namespace sluice::mgmt::daemon
