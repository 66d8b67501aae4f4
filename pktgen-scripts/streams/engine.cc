// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/engine.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "dataplane/worker/runtime.h"
#include "pktgen-scripts/streams/stream_app.h"

namespace sluice::pktgen {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinkTimeout = 10s;

struct StreamFactory final : AppFactory {
  explicit StreamFactory(StreamControl& c) : control(c) {}
  std::unique_ptr<App> create(const WorkerServices& services) override {
    return std::make_unique<StreamApp>(services, control);
  }
  StreamControl& control;
};

/// Picks the worker's cycles out of all that the runtime shows.
struct CycleSink final : MetricSink {
  void counter(std::string_view name, std::string_view, std::string_view, std::uint64_t value) override {
    if (name == "sluice_worker_busy_cycles_total") cycles.busy += value;
    if (name == "sluice_worker_busy_cycles_total" || name == "sluice_worker_idle_cycles_total")
      cycles.all += value;
  }
  void gauge(std::string_view, std::string_view, std::string_view, double) override {}
  Engine::Cycles cycles;
};

class StreamEngine final : public Engine {
 public:
  StreamEngine(const Options& options, const Shape& shape, std::unique_ptr<TlsContext> tls)
      : control_(options, shape, std::move(tls)), factory_(control_) {}
  ~StreamEngine() override {
    if (runtime_ != nullptr && !stopped_) fall_silent();
    runtime_.reset();
  }

  Status start() {
    auto started = Runtime::start(runtime_config(), factory_);
    if (!started) return started.error();
    runtime_ = std::move(started).value();
    return wait_for_links();
  }
  Window& enter(const Load& load) override {
    Window& w = windows_.emplace_back();
    w.load = load;
    control_.wanted.store(&w, std::memory_order_release);
    while (control_.current.load(std::memory_order_acquire) != &w) std::this_thread::sleep_for(50us);
    return w;
  }
  const std::deque<Window>& windows() const override { return windows_; }
  Gauges gauges() const override { return {control_.connections.get(), control_.outstanding.get()}; }
  Cycles cycles() const override {
    CycleSink sink;
    runtime_->visit(sink);
    return sink.cycles;
  }
  std::uint64_t dropped() const override {
    const DropCounters& drops = runtime_->drops(WorkerId{0});
    std::uint64_t n = drops.get(DropReason::kNoMemory) + drops.get(DropReason::kTxQueueFull);
    for (const Runtime::PortStatus& p : runtime_->ports()) n += p.rx_missed + p.rx_nombuf;
    return n;
  }
  bool stop() override {
    stopped_ = true;
    return runtime_->stop();
  }

 private:
  /// DPDK's memif driver unmaps its rings when the other end goes, also below a worker that is writing to them: after a run that
  /// failed, what the appliance still has to say comes first.
  void fall_silent() {
    enter({.clients = control_.shape.connections, .operations = 0});
    std::this_thread::sleep_for(100ms);
  }

  RuntimeConfig runtime_config() const {
    const Options& o = control_.options;
    RuntimeConfig c;
    c.ports.push_back(
        {.name = "clients", .device = o.clients, .addresses = o.client_addresses, .mtu = o.mtu});
    c.ports.push_back(
        {.name = "backends", .device = o.backends, .addresses = o.backend_addresses, .mtu = o.mtu});
    c.worker_cores = {o.core};
    c.idle = o.share_core ? IdlePolicy::kAdaptive : IdlePolicy::kBusy;
    c.local_ports = {1024, 65535};
    c.huge_pages = o.huge_pages;
    c.memory_mb = o.memory_mb;
    c.file_prefix = "sluice-pktgen-" + std::to_string(getpid());
    c.extra_eal_args = o.eal;
    c.drain_timeout = 10s + std::chrono::seconds(control_.shape.connections / 5000);
    return c;
  }

  Status wait_for_links() const {
    const auto end = std::chrono::steady_clock::now() + kLinkTimeout;
    for (;;) {
      const auto ports = runtime_->ports();
      const auto down = std::ranges::find_if(ports, [](const Runtime::PortStatus& p) { return !p.link_up; });
      if (down == ports.end()) return Ok{};
      if (std::chrono::steady_clock::now() > end) {
        return Error{"port " + down->name + ": no link; is the appliance up at the other end of " +
                     (down->name == "clients" ? control_.options.clients : control_.options.backends) + "?"};
      }
      std::this_thread::sleep_for(20ms);
    }
  }

  std::deque<Window> windows_;
  StreamControl control_;
  StreamFactory factory_;
  std::unique_ptr<Runtime> runtime_;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Engine>> start_streams(const Options& options, const Shape& shape) {
  std::unique_ptr<TlsContext> tls;
  if (shape.tls.on) {
    auto made = TlsContext::make(shape.tls, shape.host);
    if (!made) return made.error();
    tls = std::move(made).value();
  }
  auto engine = std::make_unique<StreamEngine>(options, shape, std::move(tls));
  if (Status s = engine->start(); !s) return s.error();
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace sluice::pktgen
