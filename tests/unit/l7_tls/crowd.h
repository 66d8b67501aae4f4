// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <thread>

#include "tests/unit/l7_tls/harness.h"

namespace sluice::l7::tls::test {

/// Many clients of one layer, and the time: for fixtures, which make `layer_` and `context_`.
class Crowd {
 protected:
  /// `pause`: after each loop, where a thread that somebody else's operations wait for needs a core.
  explicit Crowd(std::chrono::microseconds pause) : pause_(pause) {}
  ~Crowd() {
    layer_.reset();
    peers_.clear();
    EXPECT_EQ(sluice::test::free_buffers(), before_);
  }

  Peer& peer(const Client::Options& o) {
    Peer& p = *peers_.emplace_back(std::make_unique<Peer>(o));
    p.tcp.events = layer_->accept(p.tcp, context_, &p.user, &p.user.stream);
    p.tcp.events->on_open(now_);
    return p;
  }
  void speak(Peer& p) {
    if (p.user.ended || p.tcp.gone()) return;
    p.client.handshake();
    if (const std::string bytes = p.client.output(); !bytes.empty()) p.tcp.deliver(bytes, 1400, now_);
  }
  /// One loop of the worker; then each client hears and answers.
  void loop() {
    layer_->flush(now_);
    layer_->shake_hands(now_);
    for (auto& p : peers_) {
      if (p->tcp.sent.empty() || p->tcp.gone()) continue;
      p->client.input(p->tcp.take(1 << 20, now_));
      speak(*p);
      if (p->user.open) p->client.read();
    }
    if (pause_.count() != 0) std::this_thread::sleep_for(pause_);
  }
  template <class Done>
  bool loop_until(Done done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(pause_.count() != 0 ? 60 : 0);
    for (int i = 0; (i < 20'000 || std::chrono::steady_clock::now() < end) && !done(); ++i) loop();
    return done();
  }
  void loop_for(Duration d) {
    for (const Instant end = now_ + d; now_ < end; now_ += std::chrono::milliseconds(100)) {
      timers_.advance(now_);
      loop();
    }
  }
  const Stats& stats() const { return layer_->stats(); }

  const std::chrono::microseconds pause_;
  const std::size_t before_ = sluice::test::free_buffers();
  Instant now_{std::chrono::seconds(100)};
  TimerWheel timers_{now_};
  std::shared_ptr<const ServerContext> context_;
  std::unique_ptr<TlsLayer> layer_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace sluice::l7::tls::test
