// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/wire_end.h"

#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>

#include "dataplane/net/wire.h"

namespace sluice::pktgen::packets {

Result<FramePool> FramePool::make(const std::string& name, FrameTemplate frame, unsigned count) {
  const auto room =
      static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + RTE_ALIGN(frame.bytes().size(), std::size_t{64}));
  PoolPtr pool(rte_pktmbuf_pool_create(name.c_str(), count, 256, 0, room, SOCKET_ID_ANY));
  if (!pool) return Error{"no memory for " + std::to_string(count) + " frames: " + rte_strerror(rte_errno)};
  rte_mempool_obj_iter(
      pool.get(),
      [](rte_mempool*, void* bytes, void* object, unsigned) {
        const auto& from = *static_cast<const std::span<const std::uint8_t>*>(bytes);
        auto* m = static_cast<rte_mbuf*>(object);
        std::memcpy(static_cast<std::uint8_t*>(m->buf_addr) + RTE_PKTMBUF_HEADROOM, from.data(), from.size());
      },
      const_cast<std::span<const std::uint8_t>*>(
          &static_cast<const std::span<const std::uint8_t>&>(frame.bytes())));
  return FramePool(std::move(frame), std::move(pool));
}

rte_mbuf* FramePool::take() const {
  rte_mbuf* m = rte_pktmbuf_alloc(pool_.get());
  if (m == nullptr) return nullptr;
  m->data_len = static_cast<std::uint16_t>(frame_.bytes().size());
  m->pkt_len = m->data_len;
  return m;
}

std::uint16_t WireEnd::flush() {
  if (count_ == 0) return 0;
  const std::uint16_t sent = rte_eth_tx_burst(port_.dpdk_id(), 0, waiting_.data(), count_);
  std::copy(waiting_.begin() + sent, waiting_.begin() + count_, waiting_.begin());
  count_ = static_cast<std::uint16_t>(count_ - sent);
  return sent;
}

void WireEnd::drop_waiting() {
  rte_pktmbuf_free_bulk(waiting_.data(), count_);
  count_ = 0;
}

std::uint16_t WireEnd::poll(rte_mbuf** in) { return rte_eth_rx_burst(port_.dpdk_id(), 0, in, kBurst); }

/// Straight past what waits: an answer must not stand behind the load.
bool WireEnd::answered(rte_mbuf* m, std::span<std::uint8_t> frame) {
  using namespace net::wire;
  if (frame.size() < kEthernetHeader + kArpSize || load16(&frame[12]) != kEtherArp) return false;
  if (load16(&frame[kEthernetHeader + 6]) != 1 || !answer_arp(frame.data(), mac(), address_)) return false;
  if (rte_eth_tx_burst(port_.dpdk_id(), 0, &m, 1) != 1) rte_pktmbuf_free(m);
  return true;
}

}  // namespace sluice::pktgen::packets
