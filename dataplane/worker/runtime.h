// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/ip.h"
#include "dataplane/base/rcu.h"
#include "dataplane/base/result.h"
#include "dataplane/worker/app.h"

namespace sluice {

enum class IdlePolicy : std::uint8_t {
  kBusy,      ///< Polls without pause; for dedicated cores.
  kAdaptive,  ///< Sleeps after a while of empty polls, never past the next timer; for VMs, demos, CI.
};

struct PortConfig {
  std::string name;                   ///< For logs and metrics: "wan".
  std::string device;                 ///< PCI address "0000:00:05.0" or vdev string "net_af_packet0,iface=v0".
  std::vector<IpPrefix> addresses;    ///< Own interface addresses, with the on-link prefix.
  std::uint16_t mtu = 1500;
  std::uint16_t vlan = 0;             ///< 802.1Q id of our traffic; 0: untagged.
  std::uint16_t rx_descriptors = 1024, tx_descriptors = 1024;
};

struct RouteConfig {
  IpPrefix destination;               ///< 0.0.0.0/0 is the default gateway.
  IpAddr gateway;
  std::optional<PortId> port{};       ///< net::StaticRoute::port; numbered as in RuntimeConfig::ports.
};

struct RuntimeConfig {
  std::vector<PortConfig> ports;
  std::vector<RouteConfig> routes;
  std::vector<unsigned> worker_cores;  ///< One worker each, pinned.
  IdlePolicy idle = IdlePolicy::kAdaptive;
  PortRange local_ports{16384, 65535}; ///< Divided among the workers.
  bool huge_pages = true;              ///< False: --no-huge.
  unsigned memory_mb = 512;            ///< For DPDK, both cases.
  unsigned mbufs = 0;                  ///< Data buffers; 0: what memory_mb holds.
  std::string file_prefix = "sluice";  ///< DPDK's, distinguishes instances on a machine.
  std::vector<std::string> extra_eal_args;
  Duration drain_timeout = std::chrono::seconds(30);
};

/// The data plane: EAL, ports, workers. One a process. Made, asked and stopped by the management thread.
class Runtime {
 public:
  /// Starts everything; on return the workers are polling. Errors name the port or the core.
  static Result<std::unique_ptr<Runtime>> start(const RuntimeConfig& config, AppFactory& factory);
  /// Stops without draining when stop() was not called.
  ~Runtime();

  Rcu& rcu();
  std::uint32_t workers() const;
  /// The application of a worker, for reading its counters. Valid until this object goes.
  const App& app(WorkerId w) const;
  /// Asks the workers to drain, waits up to drain_timeout, stops them. True: all drained.
  bool stop();

  struct PortStatus {
    std::string name, driver;
    MacAddr mac;
    bool link_up = false;
    std::uint16_t queues = 0;
    bool checksum_offload_tx = false, checksum_offload_rx = false, multi_segment_tx = false;
    bool tso = false, lro = false;
    std::uint64_t rx_packets = 0, tx_packets = 0, rx_bytes = 0, tx_bytes = 0, rx_missed = 0, rx_nombuf = 0;
  };
  std::vector<PortStatus> ports() const;
  const DropCounters& drops(WorkerId w) const;
  /// Worker loops (busy and empty cycles), handovers, packets, drops, neighbours, buffers free.
  void visit(MetricSink& sink) const;

 private:
  Runtime();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
