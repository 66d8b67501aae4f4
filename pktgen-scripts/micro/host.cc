// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/micro/host.h"

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "dataplane/net/wire.h"
#include "dataplane/port/pool.h"

namespace sluice::bench {
namespace {

std::vector<net::Interface> make_interfaces(std::string_view wan, std::string_view lan, std::uint8_t mac) {
  std::vector<net::Interface> out(2);
  for (std::uint8_t i = 0; i < 2; ++i) {
    out[i].name = i == 0 ? "wan" : "lan";
    out[i].mac.bytes = {2, 0, 0, 0, mac, i};
    out[i].link_local = net::wire::link_local(out[i].mac);
    out[i].addresses = {*IpPrefix::parse(i == 0 ? wan : lan)};
  }
  return out;
}

}  // namespace

BufPool make_buffers(unsigned count) {
  std::string args[] = {"bench", "--no-huge", "--no-shconf", "--no-pci",         "--no-telemetry",
                        "-m",    "512",       "--lcores=0",  "--log-level=error"};
  char* argv[std::size(args) + 1] = {};
  for (std::size_t i = 0; i < std::size(args); ++i) argv[i] = args[i].data();
  if (rte_eal_init(static_cast<int>(std::size(args)), argv) < 0) std::abort();
  static const port::Pool data = port::make_pool("data", count, RTE_MBUF_DEFAULT_BUF_SIZE, true);
  static const port::Pool refs = port::make_pool("refs", count, 0, true);
  if (data == nullptr || refs == nullptr) std::abort();
  return BufPool(data.get(), refs.get());
}

Host::Host(BufPool& buffers, std::string_view wan, std::string_view lan, std::uint8_t mac,
           AppFactory& factory, PortRange local_ports)
    : buffers_(buffers),
      interfaces_(make_interfaces(wan, lan, mac)),
      routes_(net::RouteTable::make(interfaces_, {}).value()),
      ip_({interfaces_, routes_, buffers_, timers_, drops_, *this}),
      app_(factory.create({WorkerId{0}, 1, buffers_, timers_, ip_, drops_, local_ports, Instant{}})) {}

Host::~Host() {
  app_.reset();
  for (auto& frames : sent_) {
    for (rte_mbuf* m : frames) rte_pktmbuf_free(m);
  }
}

/// Worker::loop without ports, handover and link state.
void Host::turn(std::vector<rte_mbuf*> (&in)[2], Instant now) {
  const net::VipSet* vips = app_->refresh(now);
  if (std::exchange(vips_, vips) != vips && vips != nullptr) ip_.set_vips(*vips, false, now);
  for (std::uint32_t port = 0; port < 2; ++port) {
    ip_.input(PortId{port}, in[port], now, received_);
    in[port].clear();
  }
  if (!received_.packets.empty()) app_->on_packets(received_.packets, now);
  received_.clear();
  timers_.advance(now);
  app_->on_poll(now);
  ip_.flush();
  app_->on_flushed(now);
}

void Host::transmit(PortId port, std::span<rte_mbuf* const> frames) {
  sent_[port.value].insert(sent_[port.value].end(), frames.begin(), frames.end());
}

void Host::collect(std::vector<rte_mbuf*> (&out)[2]) {
  for (std::uint32_t port = 0; port < 2; ++port) {
    for (rte_mbuf* frame : sent_[port]) {
      Buf fresh = buffers_.alloc();
      if (!fresh) std::abort();
      for (const rte_mbuf* m = frame; m != nullptr; m = m->next) {
        std::memcpy(fresh.append(m->data_len), rte_pktmbuf_mtod(m, const void*), m->data_len);
      }
      rte_pktmbuf_free(frame);
      out[port].push_back(fresh.release());
    }
    sent_[port].clear();
  }
}

}  // namespace sluice::bench
