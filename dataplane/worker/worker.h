// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/rcu.h"
#include "dataplane/net/ip_layer.h"
#include "dataplane/port/port.h"
#include "dataplane/port/tx_buffer.h"
#include "dataplane/worker/app.h"
#include "dataplane/worker/handover.h"
#include "dataplane/worker/catch_up.h"
#include "dataplane/worker/idle.h"
#include "dataplane/worker/owner.h"
#include "dataplane/worker/tsc_clock.h"

namespace sluice {

/// Written by the worker, read by anybody.
struct WorkerCounters {
  Counter loops, busy_cycles, idle_cycles, sleeps;
  Counter rx_packets, rx_bytes, tx_packets, tx_bytes;
  Counter handovers_out, handovers_in;
  Counter neighbors;  // gauge
  void visit(MetricSink& sink, std::string_view labels, std::uint64_t hz) const;
};

/// What all workers share and none changes.
struct WorkerShared {
  std::uint32_t workers;
  IdlePolicy idle;
  std::span<const net::Interface> interfaces;
  std::span<const std::unique_ptr<port::Port>> ports;  // same order
  const net::RouteTable& routes;
  const FlowOwner& owner;
  const TscClock& clock;
  BufPool& buffers;
  Rcu& rcu;
  HandoverRings& rings;
  AppFactory& factory;
};

/// One worker: a poll loop on a core of its own that runs everything to completion. All members belong to its
/// thread, except what the management side may ask (below).
class Worker final : private net::FrameSink {
 public:
  enum class Phase : std::uint8_t { kRun, kDrain, kStop };

  Worker(WorkerId id, const WorkerShared& shared);
  ~Worker() override;

  /// The thread's body: makes the application, polls until Phase::kStop.
  void run();

  // Management side.
  void set_phase(Phase p) { phase_.store(p, std::memory_order_release); }
  bool ready() const { return ready_.load(std::memory_order_acquire); }
  bool drained() const { return drained_.load(std::memory_order_acquire); }
  /// ready() has been true.
  const App& app() const { return *app_; }
  const DropCounters& drops() const { return drops_; }
  const WorkerCounters& counters() const { return counters_; }

 private:
  static constexpr std::uint16_t kBurst = 64;

  void loop(Instant now);
  void refresh(Instant now);
  void receive(Instant now);
  void take_handovers(Instant now);
  void dispatch(Instant now);
  void deliver(Instant now);
  void hand_over(WorkerId to, Handover item);
  void watch_links(Instant now);
  void drain_step(Instant now);
  void account(std::uint64_t begin, std::uint64_t end);
  void sleep(Duration d);
  WorkerId owner_of(const FlowKey& flow) const {
    return shared_.owner(flow, ip_.local().is_own(flow.local.address));
  }

  // net::FrameSink
  void transmit(PortId port, std::span<rte_mbuf* const> frames) override;
  bool link_up(PortId port) const override { return shared_.ports[port.value]->link_up(); }

  const WorkerId id_;
  const WorkerShared shared_;
  DropCounters drops_;
  WorkerCounters counters_;
  TimerWheel timers_;
  net::IpLayer ip_;
  IdleGovernor idle_;
  CatchUp catch_up_;
  std::vector<port::TxBuffer> tx_;  // a port; used when this worker has the queue
  const WorkerServices services_;
  std::unique_ptr<App> app_;

  net::Received received_;         // of this loop, by whom it may concern
  std::vector<net::Packet> mine_;  // of this loop, for the application
  std::vector<net::IcmpError> errors_;
  bool worked_ = false;      // in this loop
  bool more_waits_ = false;  // at a port, after this loop
  bool draining_ = false;

  const net::VipSet* vips_ = nullptr;
  Instant next_vip_check_{};
  Instant next_link_check_{};
  std::vector<bool> link_was_up_;

  std::atomic<Phase> phase_{Phase::kRun};
  std::atomic<bool> ready_{false}, drained_{false};
};

}  // namespace sluice
