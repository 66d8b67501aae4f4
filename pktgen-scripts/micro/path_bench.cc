// SPDX-License-Identifier: Apache-2.0
// The cost of one proxied request in the appliance's own code, from frame to frame, without any driver:
// clients and backend on one host, the proxy on another, both on our stack, in one thread. Only the proxy's
// turns are timed.
//   path_bench [CLIENTS] [REQUESTS] [BODY]
// Under `valgrind --tool=callgrind --toggle-collect=*measured_turn*` it counts instructions, which repeat
// exactly.
#include <rte_cycles.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "l4/tcp/stack.h"
#include "l7/proxy/proxy_app.h"
#include "l7/route/router.h"
#include "pktgen-scripts/micro/host.h"

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;

const Endpoint kVip{*IpAddr::parse("10.77.0.100"), 80};
const Endpoint kBackend{*IpAddr::parse("10.78.0.11"), 80};

struct Work {
  std::string request, response;
  std::uint64_t left = 0, answers = 0;
};

/// A client that asks again when it has its answer, or (as a backend) answers what it is asked.
class Peer final : public l4::StreamEvents {
 public:
  Peer(Work& work, BufPool& buffers, bool client) : work_(work), buffers_(buffers), client_(client) {}
  l4::Stream* stream = nullptr;

  void on_open(Instant now) override {
    if (client_) ask(now);
  }
  void on_data(BufChain data, Instant now) override {
    const std::size_t n = data.size();
    data.clear();
    stream->consumed(n, now);
    got_ += n;
    if (!client_) return say(work_.response, now);  // a request comes in one piece here
    if (got_ < work_.response.size()) return;
    got_ = 0;
    ++work_.answers;
    ask(now);
  }
  void on_writable(Instant) override {}
  void on_peer_closed(Instant) override { std::abort(); }
  void on_closed(l4::CloseReason, Instant) override { std::abort(); }

 private:
  void ask(Instant now) {
    if (work_.left == 0) return;
    --work_.left;
    say(work_.request, now);
  }
  void say(const std::string& text, Instant now) {
    BufChain chain;
    if (!chain.append_copy(text, buffers_)) std::abort();
    stream->send(std::move(chain), now);
  }
  Work& work_;
  BufPool& buffers_;
  const bool client_;
  std::size_t got_ = 0;
};

class PeerApp final : public App, private l4::tcp::Acceptor {
 public:
  PeerApp(const WorkerServices& s, Work& work) : buffers_(s.buffers), work_(work), stack_({}, s, *this) {}
  void open_clients(unsigned n, Instant now) {
    for (unsigned i = 0; i < n; ++i) {
      Peer& p = add(true);
      p.stream = stack_.connect(kVip, &p, now).stream;
      if (p.stream == nullptr) std::abort();
    }
  }
  const net::VipSet* refresh(Instant) override { return &vips_; }
  void on_packets(std::span<net::Packet> batch, Instant now) override { stack_.input(batch, now); }
  void on_icmp_error(const net::IcmpError&, Instant) override {}
  void on_poll(Instant now) override { stack_.flush(now); }
  void begin_drain(Instant) override {}
  bool drained() const override { return true; }

 private:
  Peer& add(bool client) { return *peers_.emplace_back(std::make_unique<Peer>(work_, buffers_, client)); }
  bool listens(const Endpoint& local) const override { return local == kBackend; }
  l4::StreamEvents* accept(l4::Stream& stream, Instant) override {
    Peer& p = add(false);
    p.stream = &stream;
    return &p;
  }
  BufPool& buffers_;
  Work& work_;
  const net::VipSet vips_;
  l4::tcp::Stack stack_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

struct PeerFactory final : AppFactory {
  Work& work;
  explicit PeerFactory(Work& w) : work(w) {}
  std::unique_ptr<App> create(const WorkerServices& s) override { return std::make_unique<PeerApp>(s, work); }
};

std::unique_ptr<l7::Snapshot> make_snapshot() {
  auto group = std::make_shared<l7::ServerGroup>();
  group->id = "web";
  group->members = {{.id = "b", .address = kBackend, .slot = BackendSlot{0}}};
  auto rule = std::make_shared<l7::Rule>();
  rule->id = "all";
  rule->hosts = {{l7::HostKind::kExact, "www.shop.example"}};
  rule->paths = {{l7::PathKind::kPrefix, "/", false}};
  rule->action = l7::ForwardAction{{{GroupSlot{0}, 100}}};
  std::vector<l7::route::RuleError> errors;
  auto listener = std::make_shared<l7::Listener>();
  listener->id = "front";
  listener->port = kVip.port;
  listener->access_log = false;
  listener->max_requests_per_connection = UINT32_MAX;
  listener->router = l7::route::Router::compile({rule}, l7::route::Order::kSpecific, nullptr, errors);
  auto snapshot = std::make_unique<l7::Snapshot>();
  snapshot->revision = 1;
  snapshot->vips.addresses = {kVip.address};
  snapshot->listeners[kVip] = listener;
  snapshot->groups = {group};
  return snapshot;
}

/// As much as a worker takes from each port in one turn.
void take_burst(std::vector<rte_mbuf*> (&from)[2], std::vector<rte_mbuf*> (&to)[2]) {
  constexpr std::size_t kBurst = 64;
  for (int port = 0; port < 2; ++port) {
    const std::size_t n = std::min(kBurst, from[port].size());
    to[port].assign(from[port].begin(), from[port].begin() + static_cast<std::ptrdiff_t>(n));
    from[port].erase(from[port].begin(), from[port].begin() + static_cast<std::ptrdiff_t>(n));
  }
}

/// What is measured; a name of its own for callgrind.
[[gnu::noinline]] std::uint64_t measured_turn(Host& lb, std::vector<rte_mbuf*> (&in)[2], Instant now) {
  const std::uint64_t begin = rte_rdtsc_precise();
  lb.turn(in, now);
  return rte_rdtsc_precise() - begin;
}

int run(unsigned clients, std::uint64_t requests, std::size_t body) {
  BufPool buffers = make_buffers(65535);
  Work work;
  work.request =
      "GET /static/1k?user=17 HTTP/1.1\r\nHost: www.shop.example\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n"
      "Accept-Encoding: gzip, deflate, br\r\n\r\n";
  work.response =
      "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Type: "
      "text/plain\r\n"
      "Content-Length: " +
      std::to_string(body) + "\r\nETag: \"65f1-400\"\r\n\r\n" + std::string(body, 'x');
  work.left = requests;

  l7::proxy::Shared shared(1, 1024);
  const auto snapshot = make_snapshot();
  shared.snapshot.exchange(snapshot.get());
  l7::proxy::ProxyFactory proxy(shared, {});
  PeerFactory peers(work);
  Host lb(buffers, "10.77.0.1/24", "10.78.0.1/24", 1, proxy, {16384, 65535});
  Host peer(buffers, "10.77.0.2/24", "10.78.0.11/24", 2, peers, {1024, 65535});

  // Both know each other's addresses by ARP, and the time goes on as it does under load.
  std::vector<rte_mbuf*> to_lb[2], to_peer[2], burst[2];
  Instant now = Instant{} + 1s;
  static_cast<PeerApp&>(peer.app()).open_clients(clients, now);
  std::uint64_t cycles = 0, turns = 0, frames_in = 0, warm = requests / 10, counted = 0;
  while (work.answers < requests) {
    now += 20us;
    if (to_lb[0].empty() && to_lb[1].empty()) {
      peer.turn(to_peer, now);
      peer.collect(to_lb);
    }
    if (work.answers < warm) {
      cycles = turns = frames_in = 0;
      counted = work.answers;
    }
    take_burst(to_lb, burst);
    frames_in += burst[0].size() + burst[1].size();
    cycles += measured_turn(lb, burst, now);
    lb.collect(to_peer);
    if (++turns > requests * 1000) {
      std::fprintf(stderr, "path_bench: stuck at %lu answers\n", work.answers);
      return 1;
    }
  }
  const auto n = static_cast<double>(requests - counted);
  std::printf("cycles/request %.0f   ns/request %.0f   frames in %.2f   requests/turn %.1f\n",
              static_cast<double>(cycles) / n,
              static_cast<double>(cycles) / n * 1e9 / static_cast<double>(rte_get_tsc_hz()),
              static_cast<double>(frames_in) / n, n / static_cast<double>(turns));
  std::fflush(stdout);
  std::_Exit(0);  // streams are still open; nothing here to tear down in order
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  const auto number = [&](int i, unsigned long fallback) {
    return argc > i ? std::stoul(argv[i]) : fallback;
  };
  return sluice::bench::run(static_cast<unsigned>(number(1, 64)), number(2, 1000000), number(3, 1024));
}
