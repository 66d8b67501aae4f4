// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "dataplane/net/ip_layer.h"
#include "tests/unit/dataplane/frames.h"

namespace sluice::test {

using namespace std::chrono_literals;

/// An IP layer with two ports under a manual clock: port 0 is 10.0.0.1/24 and fd00::1/64, port 1
/// is 10.1.0.1/24; the default route goes to 10.0.0.254; 10.0.0.100 and fd00::100 are VIPs. What it sends is
/// recorded as bytes.
class IpFixture : public testing::Test, public net::FrameSink {
 protected:
  IpFixture() : buffers_before_(free_buffers()) {
    for (std::uint8_t i = 0; i < 2; ++i) {
      net::Interface itf;
      itf.name = i == 0 ? "wan" : "lan";
      itf.mac = mac(static_cast<std::uint8_t>(i + 1));
      itf.link_local = net::wire::link_local(itf.mac);
      interfaces.push_back(itf);
    }
    interfaces[0].addresses = {*IpPrefix::parse("10.0.0.1/24"), *IpPrefix::parse("fd00::1/64")};
    interfaces[1].addresses = {*IpPrefix::parse("10.1.0.1/24")};
  }
  ~IpFixture() override {
    layer_.reset();
    received.clear();
    EXPECT_EQ(free_buffers(), buffers_before_) << "buffers leaked";
  }

  net::IpLayer& layer() {
    if (!layer_) {
      const net::StaticRoute routes[] = {{*IpPrefix::parse("0.0.0.0/0"), ip("10.0.0.254")}};
      routes_ = net::RouteTable::make(interfaces, routes).value();
      layer_ = std::make_unique<net::IpLayer>(
          net::IpLayer::Services{interfaces, routes_, buffers(), wheel, drops, *this}, limits);
      layer_->set_vips(net::VipSet{{ip("10.0.0.100"), ip("fd00::100")}}, false, now);
    }
    return *layer_;
  }

  struct Sent {
    std::uint32_t port;
    Bytes bytes;
    std::uint64_t flags;
    std::size_t segments;
    std::uint64_t l4_size, cut;  ///< What the port is told of TSO.
    std::uint16_t type() const { return net::wire::load16(&bytes[12]); }
    Bytes from(std::size_t at) const {
      return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end());
    }
  };

  /// One frame in; what was sent because of it.
  std::vector<Sent> in(const Bytes& bytes, std::uint32_t port = 0, std::size_t segment = 2000) {
    rte_mbuf* m = frame(bytes, segment);
    return in(m, port);
  }
  std::vector<Sent> in(rte_mbuf* m, std::uint32_t port = 0) {
    layer().input(PortId{port}, {&m, 1}, now, received);
    return take();
  }
  /// One packet out.
  std::vector<Sent> out(const IpAddr& from, const IpAddr& to, std::uint8_t protocol, const Bytes& segment,
                        std::size_t cut = 2000) {
    net::OutPacket p;
    p.chain = chain_of({reinterpret_cast<const char*>(segment.data()), segment.size()}, cut);
    p.source = from;
    p.destination = to;
    p.protocol = protocol;
    layer().send({&p, 1}, now);
    return take();
  }
  std::vector<Sent> pass(Duration d) {
    for (const Instant end = now + d; now < end;) {
      now = std::min(end, now + Duration(10ms));
      wheel.advance(now);
    }
    return take();
  }
  std::vector<Sent> take() {
    layer().flush();
    return std::exchange(sent_, {});
  }
  /// The neighbour answers our request.
  std::vector<Sent> answer_arp(const IpAddr& who, const MacAddr& m, std::uint32_t port = 0) {
    const auto& itf = interfaces[port];
    return in(ethernet(itf.mac, m, net::wire::kEtherArp, arp(2, m, who, itf.mac, itf.addresses[0].address)),
              port);
  }

  std::uint64_t dropped(DropReason r) const { return drops.get(r); }
  std::uint64_t dropped_total() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kDropReasons; ++i) sum += drops.get(static_cast<DropReason>(i));
    return sum;
  }

  void transmit(PortId port, std::span<rte_mbuf* const> frames) override {
    for (rte_mbuf* m : frames) {
      Sent s{port.value, {}, m->ol_flags, m->nb_segs, m->l4_len, m->tso_segsz};
      EXPECT_EQ(m->pkt_len, rte_pktmbuf_pkt_len(m));
      BufChain chain = BufChain::adopt(m);
      s.bytes.resize(chain.size());
      chain.copy_out(0, s.bytes);
      sent_.push_back(std::move(s));
    }
  }
  bool link_up(PortId port) const override { return up[port.value]; }

  std::vector<net::Interface> interfaces;
  net::NeighborTable::Limits limits;
  Instant now{Duration(1h)};
  TimerWheel wheel{now};
  DropCounters drops;
  bool up[2] = {true, true};
  net::Received received;
  const MacAddr peer = mac(0x77);
  const IpAddr peer4 = ip("10.0.0.7"), peer6 = ip("fd00::7"), own4 = ip("10.0.0.1"), own6 = ip("fd00::1"),
               vip4 = ip("10.0.0.100"), vip6 = ip("fd00::100");

 private:
  std::size_t buffers_before_;
  net::RouteTable routes_;
  std::vector<Sent> sent_;
  std::unique_ptr<net::IpLayer> layer_;
};

}  // namespace sluice::test
