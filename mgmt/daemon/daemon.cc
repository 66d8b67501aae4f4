// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/daemon.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <ctime>

#include "mgmt/daemon/host.h"
#include "mgmt/daemon/log.h"
#include "mgmt/rest/api_certificate.h"
#include "mgmt/store/file.h"

namespace sluice::mgmt::daemon {
namespace {

/// Records a worker: more than a tenth of a second at full speed.
constexpr std::size_t kAccessRing = 16384;

void fill_random(void* out, std::size_t size) {
  if (::getrandom(out, size, 0) != static_cast<ssize_t>(size))
    std::abort();  // sizes below 256 never fail once seeded
}

}  // namespace

Daemon::Daemon(const Bootstrap& config)
    : config_(config),
      allowed_(allowed_cores()),
      shared_(static_cast<std::uint32_t>(config.runtime.worker_cores.size()), kAccessRing) {
  fill_random(shared_.process_seed, sizeof shared_.process_seed);
}

Result<std::unique_ptr<Daemon>> Daemon::start(const Bootstrap& config) {
  std::unique_ptr<Daemon> d(new Daemon(config));
  for (const auto step :
       {&Daemon::load_tls_engine, &Daemon::open_store, &Daemon::open_server, &Daemon::start_data_plane,
        &Daemon::start_management}) {
    if (const Status s = (d.get()->*step)(); !s) return s.error();
  }
  return d;
}

/// Before any key is read.
Status Daemon::load_tls_engine() {
  if (!config_.tls_engine.any()) return Ok{};
  auto loaded = l7::tls::CryptoEngine::load(config_.tls_engine);
  if (!loaded) return Error{"tls." + loaded.error().message};
  shared_.tls_engine = *loaded;
  if (!config_.tls_engine.providers.empty()) {
    spdlog::info("handshakes: OpenSSL's providers are default, {}; preferred: {}", shared_.tls_engine->title(),
                 config_.tls_engine.properties.empty() ? "none" : config_.tls_engine.properties);
    return Ok{};
  }
  std::string algorithms;
  for (const l7::tls::EngineAlgorithm a : shared_.tls_engine->config().algorithms) algorithms.append(" ").append(name_of(a));
  spdlog::info("handshakes:{} by engine {}, {}", algorithms, shared_.tls_engine->title(),
               shared_.tls_engine->polled() ? "which the workers poll" : "which has threads of its own");
  return Ok{};
}

Status Daemon::open_store() {
  auto engine = Engine::open(
      {config_.data_folder, static_cast<std::uint32_t>(config_.runtime.worker_cores.size())}, shared_);
  if (!engine) return engine.error();
  engine_ = std::move(engine).value();
  fetcher_ = std::make_unique<ocsp::HttpFetcher>(config_.ocsp.proxy, !config_.ocsp.responder.empty());
  const ocsp::Keeper::Options stapling{config_.ocsp.stapling, config_.data_folder + "/ocsp", config_.ocsp.responder, {}};
  keeper_ = std::make_unique<ocsp::Keeper>(stapling, *engine_, *fetcher_, [this](const ocsp::Notice& n) { tell(n); });
  records_ = std::make_unique<RecordWriter>(config_.log.access_log, shared_, *engine_, events_);
  appliance_ = std::make_unique<LiveAppliance>(shared_, *engine_, *records_, *keeper_);
  return Ok{};
}

Status Daemon::load_tokens() {
  if (!config_.management.token_file.empty()) return tokens_.load_file(config_.management.token_file);
  return tokens_.load_or_create_admin(config_.data_folder + "/admin.token");
}

/// The address is taken before the data plane starts, so that a second instance fails early; nothing is
/// answered yet.
Status Daemon::open_server() {
  if (const Status s = load_tokens(); !s) return s;
  const auto& m = config_.management;
  rest::Server::Options options;
  options.address = m.address;
  options.port = m.port;
  options.tls = m.tls;
  options.certificate_path = m.certificate.empty() ? config_.data_folder + "/api.crt" : m.certificate;
  options.key_path = m.certificate.empty() ? config_.data_folder + "/api.key" : m.private_key;
  if (m.tls && m.certificate.empty()) {
    if (const Status s = rest::ensure_api_certificate(options.certificate_path, options.key_path, m.address);
        !s)
      return s;
  }
  if (!m.tls && m.address != "127.0.0.1" && m.address != "::1") {
    spdlog::warn("the API is served without TLS on {}: tokens travel in the clear", m.address);
  }
  auto server = rest::Server::open(options, {*engine_, *appliance_, events_, m.metrics_auth}, tokens_);
  if (!server) return server.error();
  server_ = std::move(server).value();
  return Ok{};
}

Status Daemon::start_data_plane() {
  RuntimeConfig runtime = config_.runtime;
  const auto meminfo = store::read_file("/proc/meminfo");
  runtime.huge_pages = choose_huge_pages(config_.huge_pages, runtime.memory_mb, meminfo ? *meminfo : "");
  if (config_.huge_pages == Bootstrap::HugePages::kAuto && !runtime.huge_pages) {
    spdlog::warn("fewer than {} MB of free huge pages: running on ordinary memory, slower",
                 runtime.memory_mb);
  }
  l4::tcp::Config tcp = config_.tcp;
  fill_random(tcp.secret, sizeof tcp.secret);
  factory_ = std::make_unique<l7::proxy::ProxyFactory>(shared_, tcp);
  auto started = Runtime::start(runtime, *factory_);
  run_on(management_cores(allowed_, runtime.worker_cores));  // the EAL pins the thread that starts it
  if (!started) return started.error();
  runtime_ = std::move(started).value();
  appliance_->set_runtime(runtime_.get());
  for (const auto& p : runtime_->ports()) {
    spdlog::info("port {}: {} {}, link {}, {} queue(s), checksums in {}", p.name, p.driver, p.mac.to_string(),
                 p.link_up ? "up" : "down", p.queues, p.checksum_offload_tx ? "hardware" : "software");
  }
  return Ok{};
}

Status Daemon::start_management() {
  if (const Status s = records_->start(); !s) return s;
  // What responders said before the restart is there for the first client.
  if (const Status s = engine_->load(); !s) return s;
  keeper_->restore(std::time(nullptr));
  if (const Status s = engine_->start(runtime_->rcu()); !s) return s;
  server_->start();
  events_.add("started", "sluiced", fmt::format("revision {}", engine_->revision()));
  housekeeper_ = std::make_unique<Housekeeper>(*engine_, events_);
  if (shared_.tls_engine != nullptr) {
    housekeeper_->watch_tls_engine(shared_.tls_engine->title(), [this] { return appliance_->tls_engine(); });
  }
  housekeeper_->start();
  keeper_->start();
  spdlog::info("serving revision {} with {} worker(s); API on {}://{}:{}", engine_->revision(),
               runtime_->workers(), config_.management.tls ? "https" : "http", config_.management.address,
               server_->port());
  return Ok{};
}

void Daemon::tell(const ocsp::Notice& notice) {
  using Level = ocsp::Notice::Level;
  const auto level = notice.level == Level::kError     ? spdlog::level::err
                     : notice.level == Level::kWarning ? spdlog::level::warn
                                                       : spdlog::level::info;
  spdlog::log(level, "certificate {}: {}", notice.certificate, notice.message);
  if (!notice.event.empty()) events_.add(notice.event, notice.certificate, notice.message);
}

bool Daemon::drain() {
  spdlog::info("stopping: running requests have {} s to end",
               std::chrono::duration_cast<std::chrono::seconds>(config_.runtime.drain_timeout).count());
  appliance_->set_draining();
  events_.add("draining", "sluiced", "a stop was asked for");
  return runtime_->stop();
}

void Daemon::reload() {
  reopen_log();
  records_->reopen();
  if (const Status s = load_tokens(); s) {
    spdlog::info("log files are opened anew, tokens are read again");
  } else {
    spdlog::error("the tokens stay as they were: {}", s.error().message);
  }
}

Daemon::~Daemon() {
  if (housekeeper_) housekeeper_->stop();
  if (keeper_) keeper_->stop();
  if (server_) server_->stop();
  if (records_) records_->stop();
  // The engine frees its last snapshot through the data plane's RCU; that goes after it.
  if (engine_) engine_->stop();
  appliance_.reset();
  runtime_.reset();
}

}  // namespace sluice::mgmt::daemon
