// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/drop.h"

struct rte_mbuf;

namespace sluice::port {

/// Frames on their way into one TX queue, owned by the queue's worker. What the driver does not take at once
/// stays, in order, for the next flush; a queue that takes nothing for kPatience flushes in a row, or more
/// than kRoom frames behind, loses frames, which are counted.
class TxBuffer {
 public:
  static constexpr std::size_t kRoom = 1024;
  static constexpr unsigned kPatience = 1000;
  static constexpr std::uint16_t kBurst = 64;

  TxBuffer(std::uint16_t dpdk_port, std::uint16_t queue, DropCounters& drops);
  ~TxBuffer();
  TxBuffer(TxBuffer&&) = default;
  TxBuffer(const TxBuffer&) = delete;

  void add(std::span<rte_mbuf* const> frames);
  /// Number of frames given to the driver.
  std::size_t flush();
  bool empty() const { return frames_.empty(); }

 private:
  void drop_all();

  std::uint16_t port_, queue_;
  DropCounters* drops_;
  std::vector<rte_mbuf*> frames_;
  unsigned refused_ = 0;  // flushes in a row
};

}  // namespace sluice::port
