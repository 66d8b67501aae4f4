// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/proxy_app.h"

#include <ctime>

#include "l7/proxy/client_session.h"
#include "l7/proxy/worker_state.h"
#include "l7/upstream/health_checker.h"

namespace sluice::l7::proxy {
namespace {

constexpr std::size_t kHealthRingCapacity = 4096;

/// Joins the parts: the stack below, sessions above it, TLS between them where a listener wants it.
class ProxyAppImpl final : public ProxyApp,
                           private l4::tcp::Acceptor,
                           private upstream::Connector,
                           private tls::HandshakeGate {
 public:
  ProxyAppImpl(Shared& shared, const l4::tcp::Config& tcp, const WorkerServices& services)
      : shared_(shared),
        stack_(tcp, services, *this),
        tls_(services.id, services.buffers, services.timers, tcp.max_connections, this, shared.tls_engine,
             &shared.replays),
        state_(services.id, services.buffers, services.timers, shared, *this, tcp.max_connections),
        health_(*this, services.timers, services.buffers, shared.backends,
                *shared.health_events[services.id.value], services.id, services.workers,
                shared.process_seed[0] + services.id.value) {}

  const net::VipSet* refresh(Instant now) override {
    const Snapshot* next = shared_.snapshot.read();
    if (next == nullptr) return &no_vips_;
    if (next != state_.snapshot || next->revision != revision_) {
      revision_ = next->revision;
      state_.adopt(next, now);
      tls_.use_ticket_keys(next->ticket_keys.get());
      tls_.use_staples(next->staples.get());
      if (!state_.draining) health_.follow(*next, now);
    }
    return &next->vips;
  }

  void on_packets(std::span<net::Packet> batch, Instant now) override { stack_.input(batch, now); }
  void on_icmp_error(const net::IcmpError& error, Instant now) override { stack_.on_icmp_error(error, now); }

  void on_poll(Instant now) override {
    // Serving a pipelined request makes output for TLS, and TLS may deliver what makes another request ready.
    do {
      state_.run_ready(now);
      tls_.flush(now);
    } while (state_.has_ready());
    stack_.flush(now);
    state_.reap();
  }

  bool on_flushed(Instant now) override { return tls_.shake_hands(now); }

  void begin_drain(Instant now) override {
    state_.begin_drain(now);
    health_.stop(now);
  }
  bool drained() const override { return state_.drained(); }

  const Stats& stats() const override { return state_.stats; }
  const l4::tcp::Stats& tcp_stats() const override { return stack_.stats(); }
  const tls::Stats& tls_stats() const override { return tls_.stats(); }
  const tls::BackendStats& backend_tls_stats() const override { return tls_.backend_stats(); }

 private:
  bool listens(const Endpoint& local) const override {
    return !state_.draining && state_.listener(local) != nullptr;
  }

  bool denies(const FlowKey& flow) const override {
    const Listener* listener = state_.listener(flow.local);
    return listener != nullptr && listener->sources != nullptr &&
           !listener->sources->admits(flow.remote.address);
  }

  std::optional<DropReason> refuses(const FlowKey& flow, Instant now) override {
    const Listener* listener = state_.listener(flow.local);
    if (listener == nullptr) return std::nullopt;
    return state_.limiter.refuses(*listener, flow.remote.address, now);
  }

  bool may_begin(const FlowKey& flow, Instant now) override {
    const Listener* listener = state_.listener(flow.local);
    return listener == nullptr || state_.limiter.begin_handshake(*listener, now);
  }

  l4::StreamEvents* accept(l4::Stream& stream, Instant now) override {
    const Listener* listener = state_.listener(stream.flow().local);
    if (listener == nullptr) return nullptr;
    if (!state_.limiter.admit(*listener, stream.flow().remote.address, now)) return nullptr;
    ClientSession* session = state_.new_session();
    if (session == nullptr) return nullptr;
    if (listener->protocol != ListenerProtocol::kHttps) {
      session->attach(stream, nullptr, now);
      return session;
    }
    tls::TlsStream* plaintext = nullptr;
    l4::StreamEvents* events = tls_.accept(stream, listener->tls, session, &plaintext);
    if (events == nullptr)
      session->discard();
    else
      session->attach(*plaintext, plaintext, now);
    return events;
  }

  upstream::Connecting connect(const Endpoint& remote, const upstream::Tls& tls, l4::StreamEvents* events,
                               Instant now) override {
    const l4::tcp::ConnectResult tcp = stack_.connect(remote, events, now);
    if (tcp.stream == nullptr || tls == nullptr) return {tcp.stream, nullptr, tcp.reason};
    tls::TlsStream* plaintext = nullptr;
    l4::StreamEvents* below = tls_.connect(*tcp.stream, tls, events, &plaintext);
    if (below == nullptr) {
      tcp.stream->abort(now);
      return {nullptr, nullptr, l4::CloseReason::kNoResources};
    }
    tcp.stream->set_events(below);
    return {plaintext, plaintext, l4::CloseReason::kNormal};
  }

  Shared& shared_;
  const net::VipSet no_vips_;
  std::uint64_t revision_ = 0;
  l4::tcp::Stack stack_;
  tls::TlsLayer tls_;
  WorkerState state_;
  upstream::HealthChecker health_;
};

}  // namespace

Shared::Shared(std::uint32_t workers, std::size_t access_ring_capacity)
    : backends(workers), meters(workers), replays(workers * tls::ReplayGuard::kEntriesPerWorker, std::time(nullptr)) {
  for (std::uint32_t w = 0; w < workers; ++w) {
    access_logs.push_back(std::make_unique<AccessRing>(access_ring_capacity));
    health_events.push_back(std::make_unique<HealthRing>(kHealthRingCapacity));
  }
}

std::unique_ptr<App> ProxyFactory::create(const WorkerServices& services) {
  return std::make_unique<ProxyAppImpl>(shared_, tcp_, services);
}

}  // namespace sluice::l7::proxy
