// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/metrics_server.h"

#include <httplib.h>

#include <charconv>
#include <chrono>
#include <mutex>
#include <thread>

namespace sluice::mgmt::ingress {
namespace {

class Impl final : public MetricsServer {
 public:
  Impl() {
    server_.new_task_queue = [] { return new httplib::ThreadPool(2); };
    server_.set_read_timeout(5);
    server_.set_write_timeout(5);
    server_.set_payload_max_length(1024);
    server_.Get("/metrics", [this](const httplib::Request&, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      r.set_content(metrics_, "text/plain; version=0.0.4");
    });
    server_.Get("/healthz", [this](const httplib::Request&, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      answer(r, std::chrono::steady_clock::now() - updated_ < std::chrono::minutes(1));
    });
    server_.Get("/readyz", [this](const httplib::Request&, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      answer(r, ready_);
    });
  }
  ~Impl() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }
  bool listen(const std::string& address, int port) {
    if (!server_.bind_to_port(address, port)) return false;
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    return true;
  }
  void update(std::string metrics, bool ready) override {
    const std::lock_guard lock(mutex_);
    metrics_ = std::move(metrics);
    ready_ = ready;
    updated_ = std::chrono::steady_clock::now();
  }

 private:
  static void answer(httplib::Response& r, bool good) {
    r.status = good ? 200 : 503;
    r.set_content(good ? "ok\n" : "not ok\n", "text/plain");
  }

  httplib::Server server_;
  std::thread thread_;
  std::mutex mutex_;
  std::string metrics_;
  bool ready_ = false;
  std::chrono::steady_clock::time_point updated_ = std::chrono::steady_clock::now();
};

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::open(const std::string& listen) {
  const auto colon = listen.rfind(':');
  int port = 0;
  if (colon == listen.npos ||
      std::from_chars(listen.data() + colon + 1, listen.data() + listen.size(), port).ec != std::errc{})
    return Error{"\"" + listen + "\": expected ADDRESS:PORT"};
  auto server = std::make_unique<Impl>();
  if (!server->listen(listen.substr(0, colon), port)) return Error{"cannot listen on " + listen};
  return std::unique_ptr<MetricsServer>(std::move(server));
}

}  // namespace sluice::mgmt::ingress
