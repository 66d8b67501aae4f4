// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port/tx_buffer.h"

#include <rte_ethdev.h>

#include <algorithm>

namespace sluice::port {

TxBuffer::TxBuffer(std::uint16_t dpdk_port, std::uint16_t queue, DropCounters& drops)
    : port_(dpdk_port), queue_(queue), drops_(&drops) {
  frames_.reserve(kRoom);
}

TxBuffer::~TxBuffer() {
  for (rte_mbuf* m : frames_) rte_pktmbuf_free(m);
}

void TxBuffer::add(std::span<rte_mbuf* const> frames) {
  if (frames_.size() + frames.size() > kRoom) flush();
  const std::size_t fits = std::min(frames.size(), kRoom - frames_.size());
  frames_.insert(frames_.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(fits));
  for (rte_mbuf* m : frames.subspan(fits)) {
    rte_pktmbuf_free(m);
    drops_->add(DropReason::kTxQueueFull);
  }
}

std::size_t TxBuffer::flush() {
  std::size_t sent = 0;
  while (sent < frames_.size()) {
    const auto burst = static_cast<std::uint16_t>(std::min<std::size_t>(kBurst, frames_.size() - sent));
    const std::uint16_t taken = rte_eth_tx_burst(port_, queue_, frames_.data() + sent, burst);
    sent += taken;
    if (taken < burst) break;
  }
  frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(sent));
  refused_ = frames_.empty() || sent > 0 ? 0 : refused_ + 1;
  if (refused_ > kPatience) drop_all();
  return sent;
}

void TxBuffer::drop_all() {
  for (rte_mbuf* m : frames_) rte_pktmbuf_free(m);
  drops_->add(DropReason::kTxQueueFull, frames_.size());
  frames_.clear();
  refused_ = 0;
}

}  // namespace sluice::port
