// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/runtime.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "dataplane/net/wire.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/pci.h"
#include "dataplane/port/pool.h"
#include "dataplane/worker/worker.h"

namespace sluice {
namespace {

constexpr std::size_t kSmallPage = 4096;

struct EalSession {
  ~EalSession() { port::stop_eal(); }
};

bool is_pci(const PortConfig& p) { return port::is_pci_address(p.device.substr(0, p.device.find(','))); }

int worker_main(void* worker) {
  static_cast<Worker*>(worker)->run();
  return 0;
}

}  // namespace

/// Members in the order in which they are made; they go in the reverse order: workers (their applications and
/// queues), ports (their rings give the buffers back), pools, EAL.
struct Runtime::Impl {
  RuntimeConfig config;
  std::unique_ptr<EalSession> eal;
  port::Pool data, refs;
  std::optional<BufPool> buffers;
  std::vector<std::unique_ptr<port::Port>> ports;
  std::vector<net::Interface> interfaces;
  std::optional<net::RouteTable> routes;
  std::optional<FlowOwner> owner;
  std::optional<TscClock> clock;
  std::unique_ptr<Rcu> rcu;
  std::unique_ptr<HandoverRings> rings;
  std::vector<std::unique_ptr<Worker>> workers;
  bool running = false;

  Status check() const;
  Status open_ports();
  Status make_pools();
  Status make_network();
  Status launch(AppFactory& factory);
  void halt();
};

Status Runtime::Impl::check() const {
  if (config.ports.empty()) return Error{"no ports are configured"};
  if (config.worker_cores.empty() || config.worker_cores.size() > kMaxWorkers) {
    return Error{"1 to " + std::to_string(kMaxWorkers) + " worker cores are needed, " +
                 std::to_string(config.worker_cores.size()) + " are configured"};
  }
  const PortRange r = config.local_ports;
  if (r.first == 0 || r.last < r.first || r.last - r.first + 1u < config.worker_cores.size() * 1024) {
    return Error{"local ports " + std::to_string(r.first) + " to " + std::to_string(r.last) +
                 ": at least 1024 are needed a worker"};
  }
  for (const PortConfig& p : config.ports) {
    if (p.mtu < 576 || p.mtu > 9216)
      return Error{"port " + p.name + ": MTU " + std::to_string(p.mtu) + " is not 576 to 9216"};
    if (p.vlan > 4094)
      return Error{"port " + p.name + ": VLAN id " + std::to_string(p.vlan) + " is not 0 to 4094"};
  }
  return Ok{};
}

Status Runtime::Impl::open_ports() {
  for (const PortConfig& p : config.ports) {
    auto opened = port::Port::open({p.name, p.device, p.mtu, p.rx_descriptors, p.tx_descriptors,
                                    static_cast<std::uint16_t>(config.worker_cores.size())});
    if (!opened) return opened.error();
    ports.push_back(std::move(opened).value());
  }
  return Ok{};
}

/// 7 tenths of the memory, as many references as data buffers; the drivers' rings and the rest need the
/// other 3.
Status Runtime::Impl::make_pools() {
  std::uint16_t mtu = 1500;
  std::size_t rings_need = 0;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    mtu = std::max(mtu, config.ports[i].mtu);
    rings_need += std::size_t{ports[i]->traits().queues} *
                  (config.ports[i].rx_descriptors + config.ports[i].tx_descriptors);
  }
  // A frame with a VLAN tag and what the device adds (the FCS, or virtio's header of 12 bytes), or the usual
  // 2 KB where that is more.
  const std::size_t frame =
      std::max<std::size_t>(2048, mtu + net::wire::kEthernetHeader + net::wire::kVlanTag + 12u);
  const std::size_t room = RTE_PKTMBUF_HEADROOM + RTE_ALIGN(frame, std::size_t{64});
  const bool dense = std::ranges::none_of(config.ports, is_pci);
  std::size_t element = sizeof(rte_mbuf) + room + 2 * RTE_CACHE_LINE_SIZE;
  if (!dense && !config.huge_pages) element = RTE_ALIGN(element, kSmallPage);
  const std::size_t reference = sizeof(rte_mbuf) + 2 * RTE_CACHE_LINE_SIZE;
  std::size_t count = config.mbufs;
  if (count == 0) count = std::size_t{config.memory_mb} * 1024 * 1024 / 10 * 7 / (element + reference);
  const std::size_t least = rings_need + config.worker_cores.size() * (2 * port::kPoolCache + 1024);
  if (count < least) {
    return Error{"memory: " + std::to_string(count) +
                 " packet buffers fit, the ports' rings and the workers need " + std::to_string(least) +
                 "; raise the memory size or lower the descriptors"};
  }
  const auto n = static_cast<unsigned>(count);
  data = port::make_pool("sluice_data", n, static_cast<std::uint16_t>(room), dense);
  refs = port::make_pool("sluice_refs", n, 0, dense);
  if (!data || !refs) {
    return Error{"memory: " + std::to_string(count) + " packet buffers of " + std::to_string(element) +
                 " bytes: " + rte_strerror(rte_errno) +
                 "; raise the memory size or lower the number of buffers"};
  }
  buffers.emplace(data.get(), refs.get());
  return Ok{};
}

Status Runtime::Impl::make_network() {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const port::PortTraits& t = ports[i]->traits();
    net::Interface itf;
    itf.name = config.ports[i].name;
    itf.mac = t.mac;
    itf.link_local = net::wire::link_local(t.mac);
    itf.addresses = config.ports[i].addresses;
    itf.mtu = config.ports[i].mtu;
    itf.vlan = config.ports[i].vlan;
    itf.tx_ipv4_checksum = t.tx_ipv4_checksum;
    itf.tx_tcp_checksum = t.tx_tcp_checksum;
    itf.tx_udp_checksum = t.tx_udp_checksum;
    itf.tx_multi_segment = t.tx_multi_segment;
    itf.tx_tcp_segmentation = t.tx_tcp_segmentation;
    itf.accept_partial_checksum = t.kernel_peer;
    interfaces.push_back(std::move(itf));
  }
  std::vector<net::StaticRoute> statics;
  for (const RouteConfig& r : config.routes) statics.push_back({r.destination, r.gateway, r.port});
  auto table = net::RouteTable::make(interfaces, statics);
  if (!table) return table.error();
  routes = std::move(table).value();
  return Ok{};
}

Status Runtime::Impl::launch(AppFactory& factory) {
  const auto n = static_cast<std::uint32_t>(config.worker_cores.size());
  std::random_device random;
  owner.emplace(n, config.local_ports, std::uint64_t{random()} << 32 | random());
  clock.emplace();
  rcu = std::make_unique<Rcu>(n);
  rings = std::make_unique<HandoverRings>(n);
  for (const auto& p : ports) {
    if (Status s = p->start(data.get()); !s) return s;
  }
  const WorkerShared shared{n,      config.idle, interfaces, ports,  *routes, *owner,
                            *clock, *buffers,    *rcu,       *rings, factory};
  for (std::uint32_t w = 0; w < n; ++w) workers.push_back(std::make_unique<Worker>(WorkerId{w}, shared));
  running = true;
  for (std::uint32_t w = 0; w < n; ++w) {
    const int code = rte_eal_remote_launch(worker_main, workers[w].get(), port::lcore_of_worker(w));
    if (code != 0)
      return Error{"worker core " + std::to_string(config.worker_cores[w]) + ": " + rte_strerror(-code)};
  }
  for (const auto& w : workers) {
    while (!w->ready()) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return Ok{};
}

void Runtime::Impl::halt() {
  if (!running) return;
  running = false;
  for (const auto& w : workers) w->set_phase(Worker::Phase::kStop);
  for (std::uint32_t w = 0; w < workers.size(); ++w) rte_eal_wait_lcore(port::lcore_of_worker(w));
  for (const auto& p : ports) p->stop();
}

Runtime::Runtime() : impl_(std::make_unique<Impl>()) {}

Result<std::unique_ptr<Runtime>> Runtime::start(const RuntimeConfig& config, AppFactory& factory) {
  std::unique_ptr<Runtime> out(new Runtime());
  Impl& impl = *out->impl_;
  impl.config = config;
  if (Status s = impl.check(); !s) return s.error();
  port::EalConfig eal{{},
                      config.worker_cores,
                      config.huge_pages,
                      config.memory_mb,
                      config.file_prefix,
                      config.extra_eal_args};
  for (const PortConfig& p : config.ports) {
    if (is_pci(p)) eal.pci_devices.push_back(p.device);
  }
  if (Status s = port::start_eal(eal); !s) return s.error();
  impl.eal = std::make_unique<EalSession>();
  if (Status s = impl.open_ports(); !s) return s.error();
  if (Status s = impl.make_pools(); !s) return s.error();
  if (Status s = impl.make_network(); !s) return s.error();
  if (Status s = impl.launch(factory); !s) return s.error();
  return out;
}

Runtime::~Runtime() {
  if (impl_) impl_->halt();
}

Rcu& Runtime::rcu() { return *impl_->rcu; }
std::uint32_t Runtime::workers() const { return static_cast<std::uint32_t>(impl_->workers.size()); }
const App& Runtime::app(WorkerId w) const { return impl_->workers[w.value]->app(); }
const DropCounters& Runtime::drops(WorkerId w) const { return impl_->workers[w.value]->drops(); }

bool Runtime::stop() {
  if (!impl_->running) return true;
  const auto all_drained = [&] {
    return std::ranges::all_of(impl_->workers, [](const auto& w) { return w->drained(); });
  };
  for (const auto& w : impl_->workers) w->set_phase(Worker::Phase::kDrain);
  const auto end = std::chrono::steady_clock::now() + impl_->config.drain_timeout;
  while (!all_drained() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const bool drained = all_drained();
  impl_->halt();
  return drained;
}

std::vector<Runtime::PortStatus> Runtime::ports() const {
  std::vector<PortStatus> out;
  for (const auto& p : impl_->ports) {
    const port::PortTraits& t = p->traits();
    PortStatus s;
    s.name = p->name();
    s.driver = t.driver;
    s.mac = t.mac;
    s.link_up = p->link_up();
    s.queues = t.queues;
    s.checksum_offload_tx = t.tx_tcp_checksum;
    s.checksum_offload_rx = t.rx_checksum;
    s.multi_segment_tx = t.tx_multi_segment;
    s.tso = t.tx_tcp_segmentation > 0;
    s.lro = t.rx_lro;
    rte_eth_stats stats{};
    if (rte_eth_stats_get(p->dpdk_id(), &stats) == 0) {
      s.rx_packets = stats.ipackets;
      s.tx_packets = stats.opackets;
      s.rx_bytes = stats.ibytes;
      s.tx_bytes = stats.obytes;
      s.rx_missed = stats.imissed;
      s.rx_nombuf = stats.rx_nombuf;
    }
    out.push_back(std::move(s));
  }
  return out;
}

void Runtime::visit(MetricSink& sink) const {
  for (std::uint32_t w = 0; w < workers(); ++w) {
    const std::string label = "worker=\"" + std::to_string(w) + "\"";
    impl_->workers[w]->counters().visit(sink, label, impl_->clock->hz());
    impl_->workers[w]->drops().visit(sink, label);
  }
  for (const PortStatus& s : ports()) {
    const std::string label = "port=\"" + s.name + "\"";
    sink.gauge("sluice_port_link_up", "1 while the link is up.", label, s.link_up ? 1 : 0);
    sink.counter("sluice_port_rx_packets_total", "Frames received, as the driver counts.", label,
                 s.rx_packets);
    sink.counter("sluice_port_tx_packets_total", "Frames sent, as the driver counts.", label, s.tx_packets);
    sink.counter("sluice_port_rx_bytes_total", "Bytes received, as the driver counts.", label, s.rx_bytes);
    sink.counter("sluice_port_tx_bytes_total", "Bytes sent, as the driver counts.", label, s.tx_bytes);
    sink.counter("sluice_port_rx_missed_total", "Frames lost before we saw them: full RX ring.", label,
                 s.rx_missed);
    sink.counter("sluice_port_rx_nombuf_total", "Frames lost for lack of buffers.", label, s.rx_nombuf);
  }
  sink.gauge("sluice_buffers_free", "Packet buffers not in use.", "",
             static_cast<double>(rte_mempool_avail_count(impl_->data.get())));
  sink.gauge("sluice_buffers", "Packet buffers in all.", "", static_cast<double>(impl_->data->size));
}

}  // namespace sluice
