// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/ip.h"
#include "dataplane/base/result.h"

struct rte_mempool;
struct rte_mbuf;

namespace sluice::port {

struct PortSettings {
  std::string name;
  std::string device;  ///< PCI address, or vdev string.
  std::uint16_t mtu = 1500;
  std::uint16_t rx_descriptors = 1024, tx_descriptors = 1024;
  std::uint16_t workers = 1;
};

/// What a port can do, found out when it is opened.
struct PortTraits {
  std::string driver;
  MacAddr mac;
  std::uint16_t queues = 1;  ///< RX and TX; queue q belongs to worker q.
  bool rx_checksum = false;
  bool rx_lro = false;  ///< What belongs together may come as one packet, larger than the MTU.
  bool tx_ipv4_checksum = false, tx_tcp_checksum = false, tx_udp_checksum = false;
  bool tx_multi_segment = false;
  std::uint16_t tx_tcp_segmentation = 0;  ///< TSO: of packets of up to that many buffers; 0: none.
  bool kernel_peer = false;  ///< Interface::accept_partial_checksum.
};

/// One DPDK Ethernet device, any driver. Opened, started and closed by the management thread; burst calls by
/// the workers, each on its own queue.
class Port {
 public:
  /// Finds the device (a vdev is created), configures queues and offloads. The EAL runs.
  static Result<std::unique_ptr<Port>> open(const PortSettings& settings);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// Buffers of this much are received into; the pool must hold at least the descriptors.
  Status start(rte_mempool* rx_pool);
  /// No worker uses it any more.
  void stop();

  const PortTraits& traits() const { return traits_; }
  const std::string& name() const { return settings_.name; }
  std::uint16_t dpdk_id() const { return id_; }

  /// Worker 0, about once a second: asks the driver (a system call with some). Others read link_up().
  void poll_link();
  bool link_up() const { return link_up_.load(std::memory_order_relaxed); }

 private:
  explicit Port(const PortSettings& settings) : settings_(settings) {}
  Status find_device();
  Status configure();
  bool spreads_by_itself() const;
  Status setup_queues(rte_mempool* rx_pool);
  bool query_link() const;
  Error error(const std::string& what, int code) const;

  PortSettings settings_;
  PortTraits traits_;
  std::uint16_t id_ = UINT16_MAX;
  std::string vdev_;           // to be removed again
  std::string kernel_device_;  // "iface=" of a vdev whose driver does not report the link
  bool started_ = false;
  std::atomic<bool> link_up_{false};
};

}  // namespace sluice::port
