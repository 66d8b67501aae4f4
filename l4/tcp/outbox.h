// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>

#include "dataplane/net/ip_output.h"
#include "l4/tcp/env.h"

namespace sluice::l4::tcp {

/// Collects segments and hands them to the IP layer in batches.
class Outbox final : public SegmentOut {
 public:
  explicit Outbox(net::IpOutput& output) : output_(output) {}

  /// The time of the calls that follow.
  void set_time(Instant now) { now_ = now; }
  void put(net::OutPacket packet) override {
    batch_[count_++] = std::move(packet);
    if (count_ == batch_.size()) flush();
  }
  void flush() {
    if (count_ == 0) return;
    output_.send({batch_.data(), count_}, now_);
    // What the IP layer did not take is dropped by it, with a reason.
    for (std::size_t i = 0; i < count_; ++i) batch_[i].chain.clear();
    count_ = 0;
  }

 private:
  net::IpOutput& output_;
  Instant now_{};
  std::array<net::OutPacket, 64> batch_{};
  std::size_t count_ = 0;
};

}  // namespace sluice::l4::tcp
