// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/object_pool.h"
#include "dataplane/worker/app.h"
#include "l4/tcp/stack.h"
#include "pktgen-scripts/options.h"
#include "pktgen-scripts/schedule.h"
#include "pktgen-scripts/shape.h"
#include "pktgen-scripts/streams/backend.h"
#include "pktgen-scripts/streams/client.h"
#include "pktgen-scripts/streams/impair.h"
#include "pktgen-scripts/streams/list.h"
#include "pktgen-scripts/window.h"

namespace sluice::pktgen {

/// What the main thread and the worker share. The rest is the worker's.
struct StreamControl {
  StreamControl(const Options& o, const Shape& s, std::unique_ptr<TlsContext> t);

  const Options& options;
  const Shape& shape;
  const std::unique_ptr<TlsContext> tls;  ///< Null: plain. The worker's.
  const Pattern request_body, response_body;
  Window nothing;  ///< Before the first that is wanted.
  std::atomic<Window*> wanted{&nothing}, current{&nothing};
  Counter connections, outstanding;  ///< Gauges, see Engine.
};

/// Clients and backends on one worker.
class StreamApp final : public App, public l4::tcp::Acceptor {
 public:
  StreamApp(const WorkerServices& services, StreamControl& control);
  ~StreamApp() override;

  // App
  const net::VipSet* refresh(Instant) override { return &addresses_; }
  void on_packets(std::span<net::Packet> batch, Instant now) override;
  void on_icmp_error(const net::IcmpError& e, Instant now) override { stack_->on_icmp_error(e, now); }
  void on_poll(Instant now) override;
  void begin_drain(Instant) override { draining_ = true; }
  bool drained() const override { return drained_; }

  // Acceptor
  bool listens(const Endpoint& local) const override { return local.port == control_.options.backend_port; }
  l4::StreamEvents* accept(l4::Stream& stream, Instant now) override;

  // For clients and backends.
  const Shape& shape() const { return control_.shape; }
  std::string target() const { return control_.options.target.to_string(); }
  TlsContext* tls() { return control_.tls.get(); }
  BufPool& buffers() { return services_.buffers; }
  TimerWheel& timers() { return services_.timers; }
  Results& results() { return window_->results; }
  MessageRules& request_rules() { return request_rules_; }
  MessageRules& response_rules() { return response_rules_; }
  std::span<const std::uint8_t> request_bytes() const { return request_bytes_; }
  /// By reference; empty: out of buffers.
  BufChain request() { return request_.share(0, request_.size(), services_.buffers); }
  BufChain response(std::size_t from, std::size_t n) { return response_.share(from, n, services_.buffers); }
  std::size_t response_size() const { return response_.size(); }

  l4::tcp::ConnectResult connect(std::uint32_t client, l4::StreamEvents* events, Instant now);
  void wait(Client& c, Instant now);
  void ready(Client& c) { move(c, &ready_); }
  void leave(Client& c) { move(c, nullptr); }
  void opened();
  void completed(Duration latency);
  void closed(Client& c, bool was_open);
  void recycle(Backend& b);

 private:
  static constexpr std::size_t kMaxOpening = 512;

  void move(Client& c, List<Client>* to);
  void take_window(Instant now);
  void count_unfinished(Instant now);
  void admit();
  void open_connections(Instant now);
  void start_operations(Instant now);
  void check_patience(Instant now);
  void drain(Instant now);
  void prepare_messages();

  WorkerServices services_;
  StreamControl& control_;
  const bool connection_each_;
  net::VipSet addresses_;
  std::optional<ImpairedOutput> bad_output_;
  std::optional<BadWire<net::Packet>> bad_input_;
  std::vector<net::Packet> passed_;
  std::optional<l4::tcp::Stack> stack_;

  std::vector<std::uint8_t> request_bytes_;
  BufChain request_, response_;
  MessageRules request_rules_, response_rules_;

  std::deque<Client> clients_;  // those that were ever admitted
  List<Client> closed_, ready_, waiting_;
  ObjectPool<Backend> backend_pool_;
  List<Backend> backends_, dead_backends_;
  std::size_t opening_ = 0;

  Window* window_;
  Schedule schedule_;
  std::uint64_t started_ = 0;  // in this window
  bool draining_ = false, drained_ = false;
  Instant empty_since_ = kNever;
  std::size_t drained_clients_ = 0;
};

}  // namespace sluice::pktgen
