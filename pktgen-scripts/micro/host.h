// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "dataplane/base/timer_wheel.h"
#include "dataplane/net/ip_layer.h"
#include "dataplane/worker/app.h"

namespace sluice::bench {

/// Starts the EAL without hugepages, devices or root, and gives buffers as a worker has them: pools with a
/// cache.
BufPool make_buffers(unsigned count);

/// A worker without ports: the same turn of the loop, with frames that come and go as pointers. Two
/// interfaces, wan (0) and lan (1).
class Host final : private net::FrameSink {
 public:
  Host(BufPool& buffers, std::string_view wan, std::string_view lan, std::uint8_t mac, AppFactory& factory,
       PortRange local_ports);
  ~Host() override;

  /// One turn with these frames, by port. Takes them.
  void turn(std::vector<rte_mbuf*> (&in)[2], Instant now);
  /// What turns have sent since the last call, each in one fresh buffer, as after a wire.
  void collect(std::vector<rte_mbuf*> (&out)[2]);

  App& app() { return *app_; }
  const DropCounters& drops() const { return drops_; }

 private:
  void transmit(PortId port, std::span<rte_mbuf* const> frames) override;
  bool link_up(PortId) const override { return true; }

  BufPool& buffers_;
  TimerWheel timers_{Instant{}};
  DropCounters drops_;
  std::vector<net::Interface> interfaces_;
  net::RouteTable routes_;
  net::IpLayer ip_;
  std::unique_ptr<App> app_;
  const net::VipSet* vips_ = nullptr;
  net::Received received_;
  std::vector<rte_mbuf*> sent_[2];
};

}  // namespace sluice::bench
