// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/clock.h"
#include "dataplane/base/counter.h"
#include "pktgen-scripts/histogram.h"

namespace sluice::pktgen {

/// Ways in which an operation fails. Each fails the run.
enum class Failure : std::uint8_t {
  kUnreachable,  ///< No route, no neighbour, or an ICMP error.
  kConnect,      ///< No answer to SYN.
  kRefused,      ///< RST to SYN.
  kReset,        ///< RST on an open connection.
  kClosedEarly,  ///< FIN where an answer was due.
  kTimeout,      ///< The answer did not come in time.
  kStatus,       ///< Another status than expected.
  kHead,         ///< Wrong framing of the answer.
  kBody,         ///< A wrong byte.
  kTls,          ///< Handshake or record failure, or not what the shape expects.
  kResources,    ///< Of our own: ports, connections, packet buffers.
  kBackend,      ///< The backend got something wrong.
  kCount
};
std::string_view to_string(Failure f);

/// What came of the time in which it was current.
struct Results {
  Instant begin{}, end{};
  Counter operations;  ///< Completed and right.
  Counter opened;      ///< Connections.
  Counter answered;    ///< Requests that the backends answered.
  Counter bytes;       ///< Of bodies and heads, received by clients.
  std::array<Counter, static_cast<std::size_t>(Failure::kCount)> failures;
  std::string first_failure;  ///< In words.
  Histogram latency;          ///< Open loop: with the ages of what had not completed at the end.
  std::uint64_t behind = 0;   ///< Open loop: operations that were due at the end and had not started.

  void fail(Failure f, std::string why) {
    if (failed() == 0) first_failure = std::move(why);
    failures[static_cast<std::size_t>(f)].add();
  }
  std::uint64_t failed() const {
    std::uint64_t n = 0;
    for (const Counter& c : failures) n += c.get();
    return n;
  }
  Duration length() const { return end - begin; }
};

/// What is to be done.
struct Load {
  std::uint32_t clients = 0;              ///< How many take part, and stay for later windows.
  std::uint64_t operations = UINT64_MAX;  ///< Start no more than these.
  double rate = 0;                        ///< Operations started a second; 0: closed loop.
};

/// A stretch of time with one load. The main thread makes it and the worker takes it, and alone writes
/// `results` until it has taken the next window; only Counters may be read meanwhile.
struct Window {
  Load load;
  Results results;
};

}  // namespace sluice::pktgen
