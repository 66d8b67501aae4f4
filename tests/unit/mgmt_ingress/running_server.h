// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <httplib.h>

#include <string>
#include <thread>

namespace sluice::mgmt::ingress::test {

/// Lets a server that knows its answers listen, at a port of the loopback, until this goes: however a test ends.
class RunningServer {
 public:
  explicit RunningServer(httplib::Server& server) : server_(server), port_(server.bind_to_any_port("127.0.0.1")) {
    server_.set_keep_alive_timeout(1);  // Seconds: its few threads wait for clients that keep theirs.
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~RunningServer() {
    server_.stop();
    thread_.join();
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  /// "127.0.0.1:PORT"
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url() const { return "http://" + authority(); }

 private:
  httplib::Server& server_;
  const int port_;
  std::thread thread_;
};

}  // namespace sluice::mgmt::ingress::test
