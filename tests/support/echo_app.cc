// SPDX-License-Identifier: Apache-2.0
// The data plane alone: ports, ARP, ND and ICMP echo, with an application that drops what it is given. For
// trying a device by hand, and for the end-to-end test of the layers below TCP:
//
//   echo_app --core 0 --port lan net_af_packet0,iface=v0 10.0.0.1/24,fd00::1/64 [--core 1] [--port ...]
//            [--route 0.0.0.0/0 10.0.0.2] [--vip 10.0.0.9] [--huge] [--busy] [--vlan 7] [--mtu 1400]
//            [--seconds 5]
//
// Prints "ready" when it polls, and its counters that are not zero at the end (SIGINT, SIGTERM or the time
// given).
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "dataplane/worker/runtime.h"

namespace {

using namespace sluice;

class EchoApp final : public App {
 public:
  EchoApp(const WorkerServices& services, const net::VipSet& vips) : services_(services), vips_(vips) {}
  const net::VipSet* refresh(Instant) override { return &vips_; }
  void on_packets(std::span<net::Packet> batch, Instant) override {
    services_.drops.add(DropReason::kTcpNoListener, batch.size());
    for (net::Packet& p : batch) p.chain.clear();
  }
  void on_icmp_error(const net::IcmpError&, Instant) override {}
  void on_poll(Instant) override {}
  void begin_drain(Instant) override {}
  bool drained() const override { return true; }

 private:
  WorkerServices services_;
  const net::VipSet& vips_;
};

struct Factory final : AppFactory {
  std::unique_ptr<App> create(const WorkerServices& services) override {
    return std::make_unique<EchoApp>(services, vips);
  }
  net::VipSet vips;
};

struct Printer final : MetricSink {
  void counter(std::string_view name, std::string_view, std::string_view labels,
               std::uint64_t value) override {
    if (value != 0) {
      std::printf("%.*s{%.*s} %llu\n", static_cast<int>(name.size()), name.data(),
                  static_cast<int>(labels.size()), labels.data(), static_cast<unsigned long long>(value));
    }
  }
  void gauge(std::string_view name, std::string_view, std::string_view labels, double value) override {
    std::printf("%.*s{%.*s} %g\n", static_cast<int>(name.size()), name.data(),
                static_cast<int>(labels.size()), labels.data(), value);
  }
};

[[noreturn]] void usage(const std::string& what) {
  std::fprintf(stderr, "echo_app: %s\n", what.c_str());
  std::exit(2);
}

IpPrefix prefix(const std::string& text) {
  const auto p = IpPrefix::parse(text);
  if (!p) usage("not an address with a prefix: " + text);
  return *p;
}

struct Options {
  RuntimeConfig runtime;
  net::VipSet vips;
  unsigned seconds = 3600;
};

Options parse(const std::vector<std::string>& args) {
  Options o;
  o.runtime.huge_pages = false;
  o.runtime.memory_mb = 256;
  std::size_t at = 0;
  const auto next = [&]() -> const std::string& {
    if (at == args.size()) usage("argument missing");
    return args[at++];
  };
  const auto number = [&] { return static_cast<unsigned>(std::strtoul(next().c_str(), nullptr, 10)); };
  const auto port = [&]() -> PortConfig& {
    if (o.runtime.ports.empty()) usage("name a port first");
    return o.runtime.ports.back();
  };
  while (at < args.size()) {
    const std::string& key = next();
    if (key == "--core")
      o.runtime.worker_cores.push_back(number());
    else if (key == "--huge")
      o.runtime.huge_pages = true;
    else if (key == "--busy")
      o.runtime.idle = IdlePolicy::kBusy;
    else if (key == "--seconds")
      o.seconds = number();
    else if (key == "--vlan")
      port().vlan = static_cast<std::uint16_t>(number());
    else if (key == "--mbufs")
      o.runtime.mbufs = number();
    else if (key == "--mtu")
      port().mtu = static_cast<std::uint16_t>(number());
    else if (key == "--vip")
      o.vips.addresses.push_back(prefix(next()).address);
    else if (key == "--eal")
      o.runtime.extra_eal_args.push_back(next());
    else if (key == "--route") {
      const IpPrefix to = prefix(next());
      o.runtime.routes.push_back({to, prefix(next()).address});
    } else if (key == "--port") {
      PortConfig& p = o.runtime.ports.emplace_back();
      p.name = next();
      p.device = next();
      std::string list = next();
      for (std::size_t end; !list.empty(); list.erase(0, end == std::string::npos ? end : end + 1)) {
        end = list.find(',');
        p.addresses.push_back(prefix(list.substr(0, end)));
      }
    } else
      usage("unknown option " + key);
  }
  std::ranges::sort(o.vips.addresses);
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse({argv + 1, argv + argc});
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Factory factory;
  factory.vips = options.vips;
  auto runtime = Runtime::start(options.runtime, factory);
  if (!runtime) usage(runtime.error().message);
  for (const auto& p : (*runtime)->ports()) {
    std::printf("port %s: %s, %s, %u queue(s), link %s, checksums rx %d tx %d, segments %d\n", p.name.c_str(),
                p.driver.c_str(), p.mac.to_string().c_str(), p.queues, p.link_up ? "up" : "down",
                p.checksum_offload_rx, p.checksum_offload_tx, p.multi_segment_tx);
  }
  std::puts("ready");
  std::fflush(stdout);
  // The TAP driver interrupts system calls with signals of its own.
  const timespec step{1, 0};
  for (std::time_t end = std::time(nullptr) + options.seconds; std::time(nullptr) < end;) {
    if (sigtimedwait(&signals, nullptr, &step) > 0) break;
  }
  const bool drained = (*runtime)->stop();
  Printer printer;
  (*runtime)->visit(printer);
  return drained ? 0 : 1;
}
