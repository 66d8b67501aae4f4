// SPDX-License-Identifier: Apache-2.0
// Full RSA-2048 handshakes a second of the server's CPU time, clients not counted:  handshake_rate [ENGINE [COMMAND...]]
//   library  OpenSSL's server over memory, one after the other
//   layer    TlsLayer, 64 clients at a time, private keys in software
//   engine   the same with the engine, which may have 64 handshakes
#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>

#include "tests/support/eal.h"
#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

constexpr int kHandshakes = 4000, kClients = 64;

/// CPU time of this thread within its lifetimes, in seconds.
class Meter {
 public:
  template <class Work>
  auto operator()(Work work) {
    struct Stop {
      Meter& meter;
      double begin = now();
      ~Stop() { meter.seconds += now() - begin; }
    } stop{*this};
    return work();
  }
  double seconds = 0;

 private:
  static double now() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
};

Client::Options only(int version) {
  Client::Options o;
  o.min_version = o.max_version = version;
  return o;
}

double library(SSL_CTX* context, int version) {
  Meter meter;
  for (int i = 0; i < kHandshakes; ++i) {
    Client client(only(version));
    const SslPtr server = meter([&] {
      SslPtr made(SSL_new(context));
      SSL_set_bio(made.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      SSL_set_accept_state(made.get());
      return made;
    });
    for (bool done = false; !done;) {
      client.handshake();
      const std::string up = client.output();
      BIO_write(SSL_get_rbio(server.get()), up.data(), static_cast<int>(up.size()));
      done = meter([&] { return SSL_do_handshake(server.get()) == 1; });
      std::string down(BIO_ctrl_pending(SSL_get_wbio(server.get())), '\0');
      if (!down.empty()) BIO_read(SSL_get_wbio(server.get()), down.data(), static_cast<int>(down.size()));
      client.input(down);
    }
  }
  return kHandshakes / meter.seconds;
}

double per_handshake(std::uint64_t n) { return static_cast<double>(n) / kHandshakes; }

double layer(const std::shared_ptr<const ServerContext>& context, const char* name, int version, const CryptoEngine* engine) {
  struct Peer {
    explicit Peer(const Client::Options& o) : client(o) {}
    FakeTcp tcp;
    User user;
    Client client;
  };
  Instant now{std::chrono::seconds(100)};
  TimerWheel timers{now};
  Meter meter;
  {
    TlsLayer tls(WorkerId{0}, sluice::test::buffers(), timers, 2 * kClients, nullptr, engine);
    std::vector<std::unique_ptr<Peer>> peers;
    for (int begun = 0, done = 0; done < kHandshakes;) {
      while (peers.size() < kClients && begun < kHandshakes) {
        Peer& p = *peers.emplace_back(std::make_unique<Peer>(only(version)));
        p.tcp.events = tls.accept(p.tcp, context, &p.user, &p.user.stream);
        p.tcp.events->on_open(now);
        ++begun;
      }
      for (auto& p : peers) {
        p->client.handshake();
        if (const std::string up = p->client.output(); !up.empty()) meter([&] { p->tcp.deliver(up, 1400, now); });
      }
      for (int i = 0; i < kClients; ++i) meter([&] { tls.shake_hands(now); });
      for (auto& p : peers) {
        if (!p->tcp.sent.empty()) p->client.input(p->tcp.take(1 << 20, now));
        if (!p->user.open) continue;
        p->user.abort(now);
        p.reset();
        ++done;
      }
      std::erase(peers, nullptr);
    }
    if (engine != nullptr) std::printf("%s  engine  %5.2f jobs a handshake\n", name, per_handshake(tls.stats().engine_jobs.get()));
  }
  return kHandshakes / meter.seconds;
}

int run(int n, char** arguments) {
  const CryptoEngine* engine = nullptr;
  if (n > 1) {
    auto loaded = CryptoEngine::load({arguments[1], {arguments + 2, arguments + n}});
    if (!loaded) {
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      return 1;
    }
    engine = *loaded;
  }
  ServerConfig config;
  config.default_certificate = make_certificate({.key = "RSA-2048"});
  const auto context = make_context(config);
  for (const auto& [name, version] : {std::pair("TLS 1.2", TLS1_2_VERSION), std::pair("TLS 1.3", TLS1_3_VERSION)}) {
    const double own = library(static_cast<SSL_CTX*>(context->context(WorkerId{0})), version);
    std::printf("%s  library %6.0f/s\n", name, own);
    const double soft = layer(context, name, version, nullptr);
    std::printf("%s  layer   %6.0f/s  %.2f x the library\n", name, soft, soft / own);
    if (engine == nullptr) continue;
    const double fast = layer(context, name, version, engine);
    std::printf("%s  engine  %6.0f/s  %.2f x the library\n", name, fast, fast / own);
  }
  return 0;
}

}  // namespace
}  // namespace sluice::l7::tls::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  sluice::test::start_eal(argv[0]);
  return sluice::l7::tls::test::run(argc, argv);
}
