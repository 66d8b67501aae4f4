// SPDX-License-Identifier: Apache-2.0
// Full RSA-2048 handshakes a second of the server's CPU time, clients not counted; the best of some rounds:  handshake_rate [ENGINE [ALGORITHM...] [COMMAND...]]
//   library  OpenSSL's server over memory, one after the other
//   layer    TlsLayer, 64 clients at a time, all in software
//   engine   the same with the engine, which may have 64 handshakes
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <span>

#include "tests/support/eal.h"
#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::l7::tls::test {
namespace {

constexpr int kHandshakes = 512, kClients = 64, kRounds = 5;

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

struct Kind {
  const char* name;
  int version;
  const char* groups;  ///< The client's. Empty: those that OpenSSL offers by itself.
};
constexpr Kind kKinds[] = {{"TLS 1.2 X25519 ", TLS1_2_VERSION, "X25519"},
                           {"TLS 1.3 X25519 ", TLS1_3_VERSION, "X25519"},
                           {"TLS 1.3 default", TLS1_3_VERSION, ""}};

Client::Options options(const Kind& kind) {
  Client::Options o;
  o.min_version = o.max_version = kind.version;
  o.groups = kind.groups;
  return o;
}

double library(SSL_CTX* context, const Kind& kind) {
  Meter meter;
  for (int i = 0; i < kHandshakes; ++i) {
    Client client(options(kind));
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

double layer(const std::shared_ptr<const ServerContext>& context, const Kind& kind, const CryptoEngine* engine,
             double* jobs = nullptr) {
  Instant now{std::chrono::seconds(100)};
  TimerWheel timers{now};
  Meter meter;
  {
    TlsLayer tls(WorkerId{0}, sluice::test::buffers(), timers, 2 * kClients, nullptr, engine);
    std::vector<std::unique_ptr<Peer>> peers;
    for (int begun = 0, done = 0; done < kHandshakes;) {
      while (peers.size() < kClients && begun < kHandshakes) {
        Peer& p = *peers.emplace_back(std::make_unique<Peer>(options(kind)));
        p.tcp.events = tls.accept(p.tcp, context, &p.user, &p.user.stream);
        p.tcp.events->on_open(now);
        ++begun;
      }
      for (auto& p : peers) {
        p->client.handshake();
        p->client.pending = p->client.output();
      }
      meter([&] {  // once for all: it costs system calls
        for (auto& p : peers) {
          if (!p->client.pending.empty()) p->tcp.deliver(p->client.pending, 1400, now);
        }
        for (int i = 0; i < kClients; ++i) tls.shake_hands(now);
      });
      for (auto& p : peers) {
        if (!p->tcp.sent.empty()) p->client.input(p->tcp.take(1 << 20, now));
        if (p->client.failed || p->user.ended) {
          std::fprintf(stderr, "%s: a handshake failed: %s%s\n", kind.name, p->client.error.c_str(), p->user.error.c_str());
          std::exit(1);
        }
        if (!p->user.open) continue;
        p->user.abort(now);
        p.reset();
        ++done;
      }
      std::erase(peers, nullptr);
    }
    if (jobs != nullptr) *jobs = static_cast<double>(tls.stats().engine_jobs.get()) / kHandshakes;
  }
  return kHandshakes / meter.seconds;
}

/// Its keys are read here: an engine that is loaded by now may have them.
std::shared_ptr<const ServerContext> rsa_context() {
  ServerConfig config;
  config.default_certificate = make_certificate({.key = "RSA-2048"});
  return make_context(config);
}

Result<const CryptoEngine*> load(std::span<char*> arguments) {
  CryptoEngineConfig config;
  config.name = arguments[0];
  for (const std::string text : arguments.subspan(1)) {
    if (const auto a = engine_algorithm(text)) config.algorithms.push_back(*a);
    else config.commands.push_back(text);
  }
  return CryptoEngine::load(config);
}

int run(std::span<char*> arguments) {
  const auto software = rsa_context();
  const CryptoEngine* engine = nullptr;
  if (!arguments.empty()) {
    const auto loaded = load(arguments);
    if (!loaded) {
      std::fprintf(stderr, "%s\n", loaded.error().message.c_str());
      return 1;
    }
    engine = *loaded;
  }
  const auto context = rsa_context();
  for (const Kind& kind : kKinds) {
    double own = 0, soft = 0, fast = 0, jobs = 0;
    for (int i = 0; i < kRounds; ++i) {  // in turns: what else the machine does is shared
      own = std::max(own, library(static_cast<SSL_CTX*>(software->context(WorkerId{0})), kind));
      soft = std::max(soft, layer(software, kind, nullptr));
      if (engine != nullptr) fast = std::max(fast, layer(context, kind, engine, &jobs));
    }
    std::printf("%s  library %6.0f/s\n", kind.name, own);
    std::printf("%s  layer   %6.0f/s  %.2f x the library\n", kind.name, soft, soft / own);
    if (engine == nullptr) continue;
    std::printf("%s  engine  %6.0f/s  %.2f x the library, %.2f jobs a handshake\n", kind.name, fast, fast / own, jobs);
  }
  return 0;
}

}  // namespace
}  // namespace sluice::l7::tls::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  sluice::test::start_eal(argv[0]);
  return sluice::l7::tls::test::run(std::span(argv + 1, argv + argc));
}
