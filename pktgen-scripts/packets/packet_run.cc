// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/packet_run.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "dataplane/port/eal.h"
#include "dataplane/port/pci.h"

namespace sluice::pktgen::packets {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinkTimeout = 10s;
constexpr Duration kResolveTimeout = 3s;
constexpr unsigned kReceiveBuffers = 16383;
constexpr unsigned kSteps = 8;  // of looking for a rate: within 1/256

struct EalSession {
  EalSession() = default;
  EalSession(const EalSession&) = delete;
  EalSession& operator=(const EalSession&) = delete;
  ~EalSession() { port::stop_eal(); }
};

/// Runs `work` to its end on the generator's core.
template <class Work>
auto on_core(Work&& work) {
  using Outcome = decltype(work());
  struct Job {
    Work& work;
    std::optional<Outcome> outcome;
  } job{work, std::nullopt};
  const unsigned lcore = port::lcore_of_worker(0);
  rte_eal_remote_launch(
      [](void* p) {
        prctl(PR_SET_NAME, "sluice-worker0");  // as Worker::run does: another generator sees the core taken
        auto& j = *static_cast<Job*>(p);
        j.outcome.emplace(j.work());
        return 0;
      },
      &job, lcore);
  rte_eal_wait_lcore(lcore);
  return std::move(*job.outcome);
}

Duration duration_of(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

/// Everything that a run has open; it goes in the reverse order, so that no driver holds a buffer of a pool
/// that is gone.
class Run {
 public:
  Run(const Options& options, const PacketShape& shape) : options_(options), shape_(shape) {}

  Result<PacketMeasurement> run();

 private:
  Status open();
  Status open_port(const std::string& name, const std::string& device, std::unique_ptr<port::Port>& out);
  Status find_target();
  Flows flows() const;
  std::uint32_t own_address() const;
  Result<PacketMeasurement> measure_at(double rate, double seconds);
  Result<PacketMeasurement> find_rate();
  bool holds(const PacketMeasurement& m) const;

  const Options& options_;
  const PacketShape& shape_;
  std::optional<Appliance> appliance_;
  std::unique_ptr<EalSession> eal_;
  PoolPtr receive_;
  std::unique_ptr<PacketLoad> load_;
  std::unique_ptr<port::Port> clients_, backends_;
  std::optional<WireEnd> clients_end_, backends_end_;
  Ends ends_;
};

std::uint32_t Run::own_address() const {
  for (const IpPrefix& p : options_.client_addresses) {
    if (p.address.is_v4()) return p.address.v4_value();
  }
  return 0;
}

Flows Run::flows() const {
  if (shape_.client_addresses == 1) return Flows(shape_.flows, own_address(), 1);
  return Flows(shape_.flows, options_.client_net.address.v4_value() + 1, shape_.client_addresses);
}

Status Run::open_port(const std::string& name, const std::string& device, std::unique_ptr<port::Port>& out) {
  auto opened = port::Port::open({name, device, options_.mtu, 1024, 1024, 1});
  if (!opened) return opened.error();
  out = std::move(*opened);
  if (Status s = out->start(receive_.get()); !s) return s;
  const auto end = std::chrono::steady_clock::now() + kLinkTimeout;
  for (out->poll_link(); !out->link_up(); out->poll_link()) {
    if (std::chrono::steady_clock::now() > end)
      return Error{"port " + name + ": no link; is somebody up at the other end of " + device + "?"};
    std::this_thread::sleep_for(20ms);
  }
  return Ok{};
}

Status Run::open() {
  port::EalConfig eal{{},
                      {options_.core},
                      options_.huge_pages,
                      options_.memory_mb,
                      "sluice-pktgen-" + std::to_string(getpid()),
                      options_.eal};
  for (const std::string& device : {options_.clients, options_.backends}) {
    if (port::is_pci_address(device)) eal.pci_devices.push_back(device);
  }
  if (Status s = port::start_eal(eal); !s) return s;
  eal_ = std::make_unique<EalSession>();
  const std::size_t room = std::max<std::size_t>(2048, options_.mtu + 64u) + RTE_PKTMBUF_HEADROOM;
  receive_.reset(rte_pktmbuf_pool_create("pktgen_receive", kReceiveBuffers, 256, 0,
                                         static_cast<std::uint16_t>(room), SOCKET_ID_ANY));
  if (!receive_)
    return Error{fmt::format("memory: no room for packets ({}); raise --memory", rte_strerror(rte_errno))};
  if (Status s = open_port("clients", options_.clients, clients_); !s) return s;
  clients_end_.emplace(*clients_, own_address());
  if (options_.backends.empty()) return Ok{};
  if (Status s = open_port("backends", options_.backends, backends_); !s) return s;
  std::uint32_t address = 0;
  for (const IpPrefix& p : options_.backend_addresses) {
    if (p.address.is_v4()) address = p.address.v4_value();
  }
  backends_end_.emplace(*backends_, address);
  return Ok{};
}

Status Run::find_target() {
  ends_ = {clients_end_->mac(), {}, options_.target, own_address()};
  if (options_.target_mac) {
    ends_.theirs = *options_.target_mac;
    return Ok{};
  }
  const std::uint32_t wanted = options_.target.address.v4_value();
  const auto found =
      on_core([&] { return resolve(*clients_end_, receive_.get(), own_address(), wanted, kResolveTimeout); });
  if (!found) {
    return Error{"the target " + options_.target.address.to_string() +
                 " does not answer ARP (--target-mac is for those that never do)"};
  }
  ends_.theirs = *found;
  return Ok{};
}

Result<PacketMeasurement> Run::measure_at(double rate, double seconds) {
  PacketMeasurement m;
  m.offered = rate;
  const auto before = counters_of(appliance_);
  if (!before) return before.error();
  m.load = on_core([&] { return load_->run(rate, duration_of(seconds)); });
  const auto spent = spent_since(appliance_, *before);
  if (!spent) return spent.error();
  m.appliance = *spent;
  if (!m.load.tally.fault.empty()) return Error{"received " + m.load.tally.fault};
  if (m.load.sent == 0) return Error{"no packet could be sent: the port takes none"};
  return m;
}

/// Not sent in time counts like lost: a wire that is full pushes back here where another one drops.
bool Run::holds(const PacketMeasurement& m) const {
  const double allowed = 1 - shape_.loss_ppm / 1e6;
  const auto enough = [&](std::uint64_t part, std::uint64_t whole) {
    return static_cast<double>(part) >= allowed * static_cast<double>(whole);
  };
  if (!enough(m.load.sent, m.load.due)) return false;
  return enough(m.load.sent - std::min(m.load.sent, m.lost(shape_).value_or(0)), m.load.sent);
}

Result<PacketMeasurement> Run::find_rate() {
  auto best = measure_at(0, options_.seconds);
  if (!best) return best;
  double high = best->rate(), low = 0, next = high;
  for (unsigned step = 0; step < kSteps; ++step, next = (low + high) / 2) {
    auto m = measure_at(next, options_.seconds);
    if (!m) return m;
    if (!holds(*m)) {
      high = next;
      continue;
    }
    low = next;
    m->highest_rate = next;
    best = std::move(m);
    if (step == 0) break;  // all that can be sent
  }
  if (low == 0) {
    return Error{fmt::format("no rate down to {:.0f} packets a second holds with {} of a million lost", high,
                             shape_.loss_ppm)};
  }
  return best;
}

Result<PacketMeasurement> Run::run() {
  if (!options_.appliance.empty()) {
    auto at = Appliance::at(options_.appliance, options_.token_file);
    if (!at) return at.error();
    appliance_ = std::move(*at);
    if (auto counters = appliance_->read(); !counters) return counters.error();
  }
  if (Status s = open(); !s) return s.error();
  if (Status s = find_target(); !s) return s.error();
  load_ = std::make_unique<PacketLoad>(shape_, flows(), ends_, *clients_end_,
                                       backends_end_ ? &*backends_end_ : nullptr);
  if (Status s = load_->prepare(); !s) return s.error();
  if (Status s = on_core([&] { return load_->connect(); }); !s) return s.error();
  if (options_.warmup > 0) {
    if (auto warm = measure_at(static_cast<double>(shape_.rate), options_.warmup); !warm) return warm;
  }
  auto m = options_.find_rate ? find_rate() : measure_at(static_cast<double>(shape_.rate), options_.seconds);
  on_core([&] { return load_->disconnect(), 0; });
  return m;
}

}  // namespace

std::optional<std::uint64_t> PacketMeasurement::lost(const PacketShape& shape) const {
  if (!shape.returned && !appliance) return std::nullopt;
  const std::uint64_t arrived = shape.returned ? load.returned() : appliance->received;
  return load.sent - std::min(load.sent, arrived);
}

Result<PacketMeasurement> run_packets(const Options& options, const PacketShape& shape) {
  return Run(options, shape).run();
}

}  // namespace sluice::pktgen::packets
