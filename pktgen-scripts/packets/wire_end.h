// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/port/port.h"
#include "pktgen-scripts/packets/frame.h"

namespace sluice::pktgen::packets {

struct PoolFree {
  void operator()(rte_mempool* p) const { rte_mempool_free(p); }
};
using PoolPtr = std::unique_ptr<rte_mempool, PoolFree>;

/// Buffers that hold the same frame again and again: sending does not change it, so only what differs is ever
/// written.
class FramePool {
 public:
  static Result<FramePool> make(const std::string& name, FrameTemplate frame, unsigned count);

  const FrameTemplate& frame() const { return frame_; }
  /// A buffer with the frame in it, as somebody patched it last; null: all are on their way.
  rte_mbuf* take() const;

 private:
  FramePool(FrameTemplate frame, PoolPtr pool) : frame_(std::move(frame)), pool_(std::move(pool)) {}
  FrameTemplate frame_;
  PoolPtr pool_;
};

/// What was received since counting began.
struct Tally {
  std::array<std::uint64_t, static_cast<std::size_t>(Seen::kCount)> seen{};
  std::uint64_t frames = 0, bytes = 0;
  std::string fault;  ///< The first thing that must not be, in words.

  std::uint64_t of(Seen s) const { return seen[static_cast<std::size_t>(s)]; }
};

/// One queue of a port as this engine uses it. Used by one thread at a time.
class WireEnd {
 public:
  static constexpr std::uint16_t kBurst = 64;

  WireEnd(port::Port& port, std::uint32_t own_address) : port_(port), address_(own_address) {}

  /// All of them, now or with a later call; frames that found no room wait here.
  void send(rte_mbuf* frame) { waiting_[count_++] = frame; }
  /// Puts what waits on the wire; how many got there.
  std::uint16_t flush();
  std::uint16_t room() const { return static_cast<std::uint16_t>(kBurst - count_); }
  bool clogged() const { return count_ > 0; }
  /// Frees what waits.
  void drop_waiting();
  /// A burst; ARP requests for our address are answered, the others go to `each`.
  template <class Each>
  std::uint16_t receive(Each&& each) {
    rte_mbuf* in[kBurst];
    const std::uint16_t n = poll(in);
    for (std::uint16_t i = 0; i < n; ++i) {
      const std::span<std::uint8_t> frame(rte_pktmbuf_mtod(in[i], std::uint8_t*), in[i]->data_len);
      if (!answered(in[i], frame)) {
        each(std::span<const std::uint8_t>(frame));
        rte_pktmbuf_free(in[i]);
      }
    }
    return n;
  }
  const MacAddr& mac() const { return port_.traits().mac; }

 private:
  std::uint16_t poll(rte_mbuf** in);
  bool answered(rte_mbuf* m, std::span<std::uint8_t> frame);

  port::Port& port_;
  std::uint32_t address_;
  std::array<rte_mbuf*, kBurst> waiting_{};
  std::uint16_t count_ = 0;
};

}  // namespace sluice::pktgen::packets
