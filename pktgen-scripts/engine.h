// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "dataplane/base/result.h"
#include "pktgen-scripts/options.h"
#include "pktgen-scripts/shape.h"
#include "pktgen-scripts/window.h"

namespace sluice::pktgen {

/// What makes the load: opened ports and a worker on a core. Called by the main thread.
class Engine {
 public:
  virtual ~Engine() = default;

  /// The worker has left the current window, whose results are final on return, and is in a new one with this
  /// load.
  virtual Window& enter(const Load& load) = 0;
  /// All of this run, the current one last.
  virtual const std::deque<Window>& windows() const = 0;

  struct Gauges {
    std::uint64_t connections = 0;  ///< Of clients, open now.
    std::uint64_t outstanding = 0;  ///< Operations and connections begun and not ended.
  };
  virtual Gauges gauges() const = 0;

  struct Cycles {
    std::uint64_t busy = 0, all = 0;
  };
  /// Of the worker since its start.
  virtual Cycles cycles() const = 0;
  /// Packets lost for lack of buffers or room on our side, since the start: the generator is to blame for
  /// what these do.
  virtual std::uint64_t dropped() const = 0;
  /// Ends all connections in good order; false: some did not end in time.
  virtual bool stop() = 0;
};

/// Ports are open and have a link, or the reason why not.
Result<std::unique_ptr<Engine>> start_streams(const Options& options, const Shape& shape);

}  // namespace sluice::pktgen
