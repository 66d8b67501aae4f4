// SPDX-License-Identifier: Apache-2.0
// Our TCP on a real port, for tests against a kernel's:
//
//   tcp_echo DEVICE ADDRESS/LENGTH[,ADDRESS/LENGTH...] SECONDS [--connect HOST PORT BYTES | --connections
//   MOST]
//
// Port 7 echoes; port 9 discards; port 19 reads a decimal number ended by a newline and answers with that
// many bytes of a pattern, then shuts down. With --connect it opens a connection itself, sends that many
// bytes and shuts down. Prints "ready", then its counters at the end, which SIGTERM brings.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "dataplane/worker/runtime.h"
#include "l4/tcp/stack.h"

namespace {

using namespace sluice;

/// Same as in kernel_test.py: the period divides no usual segment size, so that shifted data shows.
std::string pattern(std::size_t from, std::size_t n) {
  std::string out(n, '\0');
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<char>((from + i) % 251);
  return out;
}

class EchoApp;

class Session final : public l4::StreamEvents {
 public:
  Session(EchoApp& app, l4::Stream* stream, std::size_t to_send)
      : app_(app), stream_(stream), to_send_(to_send) {}
  void set_stream(l4::Stream* s) { stream_ = s; }

  void on_open(Instant now) override {
    port_ = stream_->flow().local.port;
    if (to_send_ > 0) fill(now);
  }
  void on_data(BufChain data, Instant now) override {
    const std::size_t n = data.size();
    if (port_ == 7) {
      stream_->send(std::move(data), now);
      held_ += n;
      if (stream_->send_space() > 0) stream_->consumed(std::exchange(held_, 0), now);
      return;
    }
    if (port_ == 19 && to_send_ == 0) {
      request_ += data.to_string();
      if (request_.ends_with('\n')) {
        to_send_ = std::strtoull(request_.c_str(), nullptr, 10);
        fill(now);
      }
    }
    stream_->consumed(n, now);
  }
  void on_writable(Instant now) override {
    if (held_ > 0) stream_->consumed(std::exchange(held_, 0), now);
    fill(now);
  }
  void on_peer_closed(Instant now) override {
    if (port_ == 7 || port_ == 9) stream_->shutdown(now);
  }
  void on_closed(l4::CloseReason reason, Instant now) override;

 private:
  void fill(Instant now);

  EchoApp& app_;
  l4::Stream* stream_;
  std::size_t to_send_, sent_ = 0, held_ = 0;
  std::uint16_t port_ = 0;
  std::string request_;
};

struct Options {
  std::optional<Endpoint> connect;
  std::size_t bytes = 0;
  std::size_t most_connections = 1u << 20;
};

class EchoApp final : public App, public l4::tcp::Acceptor {
 public:
  EchoApp(const WorkerServices& services, const Options& options) : services_(services), options_(options) {
    l4::tcp::Config config;
    config.secret[0] = 1;
    config.max_connections = options.most_connections;
    stack_.emplace(config, services, *this);
  }
  ~EchoApp() override;
  const net::VipSet* refresh(Instant) override { return &vips_; }
  void on_packets(std::span<net::Packet> batch, Instant now) override {
    for (net::Packet& p : batch) {
      if (p.protocol == 6) stack_->input({&p, 1}, now);
      p.chain.clear();
    }
  }
  void on_icmp_error(const net::IcmpError& e, Instant now) override { stack_->on_icmp_error(e, now); }
  void on_poll(Instant now) override {
    if (options_.connect && !connected_ && now - services_.start > std::chrono::seconds(1)) {
      connected_ = true;
      auto* s = new Session(*this, nullptr, options_.bytes);
      sessions_.insert(s);
      s->set_stream(stack_->connect(*options_.connect, s, now).stream);
    }
    stack_->flush(now);
  }
  void begin_drain(Instant) override {}
  bool drained() const override { return true; }

  bool listens(const Endpoint& at) const override { return at.port == 7 || at.port == 9 || at.port == 19; }
  l4::StreamEvents* accept(l4::Stream& stream, Instant) override {
    auto* s = new Session(*this, &stream, 0);
    sessions_.insert(s);
    return s;
  }
  void gone(Session* s, l4::CloseReason reason) {
    std::printf("closed %s\n", std::string(l4::to_string(reason)).c_str());
    std::fflush(stdout);
    sessions_.erase(s);
    delete s;
  }
  BufPool& buffers() { return services_.buffers; }
  const l4::tcp::Stats& stats() const { return stack_->stats(); }

 private:
  WorkerServices services_;
  const Options& options_;
  const net::VipSet vips_;
  bool connected_ = false;
  std::unordered_set<Session*> sessions_;
  std::optional<l4::tcp::Stack> stack_;
};

EchoApp::~EchoApp() {
  stack_.reset();
  for (Session* s : sessions_) delete s;
}

void Session::on_closed(l4::CloseReason reason, Instant) { app_.gone(this, reason); }

void Session::fill(Instant now) {
  while (sent_ < to_send_ && stream_->send_space() > 0) {
    const std::size_t n = std::min<std::size_t>(to_send_ - sent_, 16384);
    BufChain data;
    if (!data.append_copy(pattern(sent_, n), app_.buffers())) return;
    sent_ += n;
    stream_->send(std::move(data), now);
    if (sent_ == to_send_) stream_->shutdown(now);
  }
}

struct Factory final : AppFactory {
  std::unique_ptr<App> create(const WorkerServices& services) override {
    return std::make_unique<EchoApp>(services, options);
  }
  Options options;
};

struct Printer final : MetricSink {
  void counter(std::string_view name, std::string_view, std::string_view labels,
               std::uint64_t value) override {
    if (value != 0)
      std::printf("%s{%s} %llu\n", std::string(name).c_str(), std::string(labels).c_str(),
                  static_cast<unsigned long long>(value));
  }
  void gauge(std::string_view name, std::string_view, std::string_view labels, double value) override {
    std::printf("%s{%s} %g\n", std::string(name).c_str(), std::string(labels).c_str(), value);
  }
};

int run(int argc, char** argv) {
  RuntimeConfig config;
  PortConfig port;
  port.name = "lan";
  port.device = argv[1];
  for (char* p = std::strtok(argv[2], ","); p != nullptr; p = std::strtok(nullptr, ",")) {
    port.addresses.push_back(*IpPrefix::parse(p));
  }
  config.ports.push_back(port);
  config.worker_cores = {1};
  config.huge_pages = false;
  config.memory_mb = 128;
  config.drain_timeout = std::chrono::seconds(1);
  config.file_prefix = "tcp_echo" + std::to_string(static_cast<long>(std::time(nullptr)));
  Factory factory;
  if (argc == 8) {
    factory.options.connect =
        Endpoint{*IpAddr::parse(argv[5]), static_cast<std::uint16_t>(std::atoi(argv[6]))};
    factory.options.bytes = std::strtoull(argv[7], nullptr, 10);
  }
  if (argc == 6) factory.options.most_connections = std::strtoull(argv[5], nullptr, 10);
  std::signal(SIGTERM, [](int) {});  // ends the sleep
  auto runtime = Runtime::start(config, factory);
  if (!runtime) {
    std::fprintf(stderr, "%s\n", runtime.error().message.c_str());
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  const timespec seconds{std::atoi(argv[3]), 0};
  nanosleep(&seconds, nullptr);
  Printer printer;
  static_cast<const EchoApp&>((*runtime)->app(WorkerId{0})).stats().visit(printer, "");
  (*runtime)->visit(printer);
  std::fflush(stdout);
  (*runtime)->stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6 && argc != 8) {
    std::fprintf(
        stderr,
        "usage: tcp_echo DEVICE ADDRESSES SECONDS [--connect HOST PORT BYTES | --connections MOST]\n");
    return 2;
  }
  return run(argc, argv);
}
