// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "dataplane/base/buf.h"
#include "dataplane/base/drop.h"
#include "dataplane/base/ids.h"
#include "dataplane/base/clock.h"
#include "dataplane/base/timer_wheel.h"
#include "dataplane/net/addresses.h"
#include "dataplane/net/ip_output.h"
#include "dataplane/net/packet.h"

namespace sluice {

/// Local ports that a worker draws for connections it opens: [first, last], disjoint between workers, so that the
/// reply's destination port alone says who owns the flow.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// What a worker lends to the application that runs on it. Everything here belongs to that worker's thread and
/// outlives the application.
struct WorkerServices {
  WorkerId id;
  std::uint32_t workers = 1;  ///< How many there are.
  BufPool& buffers;
  TimerWheel& timers;
  net::IpOutput& output;
  DropCounters& drops;
  PortRange local_ports;
  Instant start;  ///< The clock at construction.
};

/// The wall dataplane / l4, upwards: what runs on a worker. All calls come from the worker's thread.
class App {
 public:
  virtual ~App() = default;

  /// First thing in each loop: picks up a newly published snapshot. Returns the addresses to serve; the pointer is
  /// compared with the last one, and must stay valid until the worker's next quiescent state.
  virtual const net::VipSet* refresh(Instant now) = 0;
  /// Packets of flows that this worker owns. Takes the chains.
  virtual void on_packets(std::span<net::Packet> batch, Instant now) = 0;
  virtual void on_icmp_error(const net::IcmpError& error, Instant now) = 0;
  /// Once a loop, after packets and timers: send what is pending. No packet may wait for the next loop.
  virtual void on_poll(Instant now) = 0;
  /// Last thing in each loop, when all output is with the ports: a piece of the work that may wait for what others wait
  /// for. True: it did some; the next loop comes at once.
  virtual bool on_flushed(Instant now) { return false; }
  /// Graceful stop: accept nothing new, finish what runs, say when done. The worker bounds the wait.
  virtual void begin_drain(Instant now) = 0;
  virtual bool drained() const = 0;
};

/// Makes the application of one worker, on that worker's thread, before its first loop.
class AppFactory {
 public:
  virtual ~AppFactory() = default;
  virtual std::unique_ptr<App> create(const WorkerServices& services) = 0;
};

}  // namespace sluice
