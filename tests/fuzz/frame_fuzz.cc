// SPDX-License-Identifier: Apache-2.0
// Frames into a whole IP layer under a manual clock. The input is a list of frames, each behind a header of 4
// bytes: length (2, little endian), flags (1: which port, how the NIC judged it, segmented), time to pass (1,
// in 20 ms). Checksums are mended when a flag says so, or hardly anything would come past them. At the end
// nothing may have leaked.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "dataplane/net/ip_layer.h"
#include "dataplane/net/wire.h"
#include "tests/support/eal.h"

namespace {

using namespace sluice;

struct World final : net::FrameSink {
  World() {
    for (std::uint8_t i = 0; i < 2; ++i) {
      net::Interface itf;
      itf.mac = MacAddr{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(i + 1)}};
      itf.link_local = net::wire::link_local(itf.mac);
      itf.accept_partial_checksum = i == 1;
      itf.tx_multi_segment = i == 0;
      itf.vlan = i == 0 ? 0 : 7;
      interfaces.push_back(itf);
    }
    interfaces[0].addresses = {*IpPrefix::parse("10.0.0.1/24"), *IpPrefix::parse("fd00::1/64")};
    interfaces[1].addresses = {*IpPrefix::parse("10.1.0.1/24"), *IpPrefix::parse("fd01::1/64")};
    routes = net::RouteTable::make(interfaces, {}).value();
    layer = std::make_unique<net::IpLayer>(
        net::IpLayer::Services{interfaces, routes, test::buffers(), wheel, drops, *this},
        net::NeighborTable::Limits{8, 16, 4});
    layer->set_vips(net::VipSet{{*IpAddr::parse("10.0.0.100"), *IpAddr::parse("fd00::100")}}, true, now);
  }
  void transmit(PortId, std::span<rte_mbuf* const> frames) override {
    for (rte_mbuf* m : frames) rte_pktmbuf_free(m);
  }
  bool link_up(PortId) const override { return true; }

  std::vector<net::Interface> interfaces;
  net::RouteTable routes;
  Instant now{std::chrono::hours(1)};
  TimerWheel wheel{now};
  DropCounters drops;
  net::Received received;
  std::unique_ptr<net::IpLayer> layer;
};

constexpr std::uint8_t kOtherPort = 1, kJudgedGood = 2, kSegmented = 4, kForUs = 8;

void feed(World& w, std::string_view bytes, std::uint8_t flags) {
  BufChain chain = test::chain_of(bytes, (flags & kSegmented) != 0 ? 90 : 2000);
  if (chain.empty()) return;
  const std::uint32_t port = flags & kOtherPort;
  if ((flags & kForUs) != 0 && chain.head()->data_len >= 6) {
    net::wire::store_mac(rte_pktmbuf_mtod(chain.head(), std::uint8_t*), w.interfaces[port].mac);
  }
  rte_mbuf* m = chain.release();
  if ((flags & kJudgedGood) != 0) m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  w.layer->input(PortId{port}, {&m, 1}, w.now, w.received);
}

/// What the transport above would do: look at each packet, answer it, and let it go.
void answer(World& w) {
  for (net::Packet& p : w.received.packets) {
    if (p.header_len < 20 || p.header_len > p.chain.size() || p.chain.head()->data_len < p.header_len)
      std::abort();
    net::OutPacket o;
    o.source = p.flow.local.address;
    o.destination = p.flow.remote.address;
    o.protocol = p.protocol;
    o.chain = test::chain_of(std::string(40, 'x'), 20);
    w.layer->send({&o, 1}, w.now);
  }
  for (const net::NeighborUpdate& u : w.received.neighbors) w.layer->learn(u, w.now);
  w.received.clear();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::start_eal("frame_fuzz");
  const std::size_t before = test::free_buffers();
  {
    World w;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    while (rest.size() >= 4) {
      const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(rest[i]); };
      const std::size_t length = std::min<std::size_t>((byte(0) | byte(1) << 8) & 0x7ff, rest.size() - 4);
      feed(w, rest.substr(4, length), byte(2));
      w.now += std::chrono::milliseconds(20) * byte(3);
      answer(w);
      w.wheel.advance(w.now);
      w.layer->flush();
      rest.remove_prefix(4 + length);
    }
  }
  if (test::free_buffers() != before) {
    std::fprintf(stderr, "buffers leaked\n");
    std::abort();
  }
  return 0;
}
