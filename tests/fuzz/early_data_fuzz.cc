// SPDX-License-Identifier: Apache-2.0
// Early data (0-RTT) from clients that come back, and from whoever has seen their flight. A ticket is gained first, by a real
// handshake. Then a client of OpenSSL's writes a ClientHello and early data; the steps of the input alter bytes and records
// of it, give it to three connections of two workers that share what they remember, whole or in parts, let the client go on with
// one of them, and let users answer and leave. Whatever they do, early data is delivered once at most, is what the client wrote, and
// comes only where it was accepted; all else waits for the end of the handshake; what is kept is bounded, and nothing leaks.
//
// The first byte: suite (2 bits), what the replay guard is like (2), a client that keeps to no bound (1), a listener without early data (1).
// The second: how many times the client writes, then 2 bytes of size each. Steps: what, and three arguments.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>
#include <vector>

#include "l7/tls/early_data.h"
#include "tests/fuzz/input.h"
#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/record_link.h"

namespace {

using namespace sluice;
using namespace sluice::l7::tls;
using fuzz::Bytes;
using fuzz::require;
using namespace sluice::l7::tls::test;
using sluice::test::buffers;
using sluice::test::free_buffers;

constexpr std::size_t kConnections = 3, kWorkers = 2;
constexpr std::size_t kMostSegments = 400;        // of the pool's buffers, in one step
constexpr std::size_t kRecord = 5 + 16384 + 256;  // RFC 8446, 5.2
constexpr const char* kSuites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
                                   "TLS_AES_128_CCM_SHA256"};
constexpr std::int64_t kRenewAfter = 600;  // seconds

/// A suite's listeners, and the ticket of one who was there.
struct Site {
  std::shared_ptr<const ServerContext> with, without;  ///< Early data.
  SessionPtr session;

  explicit Site(const char* suite) : suite_(suite) {
    ServerConfig config;
    config.policy.ciphersuites = suite;
    without = make_context(config, kWorkers);
    config.early_data = true;
    with = make_context(config, kWorkers);
  }
  Client::Options client() const {
    Client::Options o;
    o.ciphersuites = suite_;
    return o;
  }
  void renew() {
    if (session != nullptr && std::time(nullptr) - SSL_SESSION_get_time(session.get()) < kRenewAfter) return;
    Pair::Options o;
    o.client = client();
    Pair first(with, o);
    require(first.connect() && !first.client.sessions.empty(), "no ticket");
    session.reset(SSL_SESSION_dup(first.client.sessions.back()));
    first.user.abort(first.now);
  }

 private:
  const char* suite_;
};

Site& site(std::size_t i) {
  static std::array<Site, std::size(kSuites)> sites{Site(kSuites[0]), Site(kSuites[1]), Site(kSuites[2]), Site(kSuites[3])};
  sites[i].renew();
  return sites[i];
}

enum class Memory : std::uint8_t { kGood, kFull, kYoung, kNone };

struct Connection {
  FakeTcp tcp;
  User user;
  std::string coming;       ///< What it has still to get.
  std::string early, late;  ///< What its user got.
  std::size_t seen = 0;
  bool begun = false, shut = false;
};

/// What the harness expects: that both sides keep to the contract of streams.
class Contract final : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& r) override { require(!r.failed(), r.message()); }
};

class World {
 public:
  World(Site& site, Memory memory, bool offered, bool greedy, Bytes& in)
      : accepts_(memory == Memory::kGood && offered), guard_(memory == Memory::kFull ? 8 : 64, std::time(nullptr) - (memory == Memory::kYoung ? 0 : 100)) {
    if (memory == Memory::kFull) {
      for (std::uint64_t n = 1; n <= 8; ++n) guard_.admit({n, n << 20}, std::time(nullptr));
    }
    for (std::uint32_t w = 0; w < kWorkers; ++w) {
      layers_[w] = std::make_unique<TlsLayer>(WorkerId{w}, buffers(), timers_, kConnections, nullptr, nullptr,
                                              memory == Memory::kNone ? nullptr : &guard_);
      layers_[w]->use_ticket_keys(&some_ticket_keys());
    }
    write(site, greedy, in);
    for (std::size_t i = 0; i < kConnections; ++i) {
      Connection& c = all_[i];
      c.user.auto_consume = false;
      c.user.in_data = [this, &c] { got(c); };
      c.tcp.events = layers_[i % kWorkers]->accept(c.tcp, offered ? site.with : site.without, &c.user, &c.user.stream);
      c.tcp.events->on_open(now_);
    }
  }
  ~World() {
    for (Connection& c : all_) {
      if (!c.user.ended) c.user.abort(now_);
    }
    settle();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void step(Bytes& in) {
    const std::uint8_t what = in.byte(), a = in.byte(), b = in.byte(), c = in.byte();
    const std::size_t at = (std::size_t{a} << 8 | b) % (flight_.size() + 1);
    Connection& some = all_[a % kConnections];
    switch (what % 13) {
      case 0: deliver(some, std::size_t{b} * 16 + 1, 1 + std::size_t{c} * 8); break;
      case 1: deliver(some, ~std::size_t{0}, 1 + std::size_t{b} * 8); break;
      case 2: if (at < flight_.size()) flight_[at] = static_cast<char>(flight_[at] ^ (1 << c % 8)); break;
      case 3: flight_.erase(at, c); break;
      case 4: flight_.insert(at, in.take(c)); break;
      case 5: repeat_record(a, b); break;
      case 6: flight_.erase(record(a).first, record(a).second); break;
      case 7: split_record(a, std::size_t{b} << 8 | c); break;
      case 8: forge(a, in.take(b), c); break;
      case 9: converse(some, b, c); break;
      case 10: if (some.user.open && !some.user.ended && !some.shut) some.user.send(pattern(std::size_t{b} * 16 + 1), now_); break;
      case 11: leave(some, b); break;
      case 12: pass(std::chrono::milliseconds(std::size_t{c} * 20)); break;
    }
    settle();
    check();
  }

 private:
  /// Its flight, before anybody touches it.
  void write(Site& site, bool greedy, Bytes& in) {
    const SessionPtr session(SSL_SESSION_dup(site.session.get()));
    std::size_t room = kMaxEarlyData;
    if (greedy) SSL_SESSION_set_max_early_data(session.get(), static_cast<std::uint32_t>(room = 4 * kMaxEarlyData));
    Client::Options o = site.client();
    o.session = session.get();
    client_ = std::make_unique<Client>(o);
    for (int writes = 1 + in.byte() % 4; writes > 0; --writes) {
      const std::size_t n = std::min(1 + in.word() % 16384, room);
      if (n == 0) break;
      const std::string text = pattern(early_.size() + n).substr(early_.size());
      client_->write_early(text);
      early_ += text;
      room -= n;
    }
    flight_ = client_->output();
  }

  // ---- The flight ----

  /// Where record `n` (of so many as there are) stands.
  std::pair<std::size_t, std::size_t> record(std::size_t n) const {
    std::vector<std::pair<std::size_t, std::size_t>> found;
    for (std::size_t at = 0; at + 5 <= flight_.size();) {
      const std::size_t length =
          5 + (static_cast<std::size_t>(static_cast<std::uint8_t>(flight_[at + 3])) << 8 | static_cast<std::uint8_t>(flight_[at + 4]));
      found.emplace_back(at, std::min(length, flight_.size() - at));
      at += length;
    }
    return found.empty() ? std::pair(std::size_t{0}, std::size_t{0}) : found[n % found.size()];
  }
  void repeat_record(std::size_t which, std::size_t before) {
    if (flight_.size() > 8 * kRecord) return;
    const auto [at, size] = record(which);
    flight_.insert(record(before).first, std::string(flight_, at, size));
  }
  /// The same content in two records, as far as it is not sealed.
  void split_record(std::size_t which, std::size_t where) {
    const auto [at, size] = record(which);
    if (size < 7) return;
    const std::size_t first = 1 + where % (size - 6), second = size - 5 - first;
    const std::string header = flight_.substr(at, 3) + static_cast<char>(second >> 8) + static_cast<char>(second);
    flight_[at + 3] = static_cast<char>(first >> 8);
    flight_[at + 4] = static_cast<char>(first);
    flight_.insert(at + 5 + first, header);
  }
  void forge(std::uint8_t type, std::string_view content, std::size_t before) {
    std::string made{static_cast<char>(type), 3, 3, 0, static_cast<char>(content.size())};
    made += content;
    flight_.insert(record(before).first, made);
  }

  // ---- The connections ----

  void deliver(Connection& c, std::size_t most, std::size_t segment) {
    if (!c.begun) c.coming = flight_;
    c.begun = true;
    if (c.tcp.gone() || c.user.ended) return;
    const std::size_t n = std::min({most, c.coming.size(), c.tcp.window()});
    const std::string bytes = c.coming.substr(0, n);
    c.coming.erase(0, n);
    c.tcp.after_delivery = [this] { take_turns(); };
    c.tcp.deliver(bytes, std::max(segment, n / kMostSegments + 1), now_);
  }
  /// The client hears this one, and speaks to it.
  void converse(Connection& c, std::size_t text, std::size_t heard) {
    if (client_->failed || c.tcp.gone()) return;
    client_->input(c.tcp.take(1 + heard * 32, now_));
    if (!client_->handshake()) return hear(c);
    client_->read();
    if (!client_->failed && text != 0 && (SSL_get_shutdown(client_->ssl.get()) & SSL_SENT_SHUTDOWN) == 0) {
      const std::string more = pattern(late_.size() + text).substr(late_.size());
      client_->write(more);
      late_ += more;
    }
    hear(c);
  }
  void hear(Connection& c) {
    c.coming += client_->output();
    if (c.begun) deliver(c, ~std::size_t{0}, 1400);
  }
  void leave(Connection& c, std::uint8_t how) {
    if (c.tcp.gone()) return;
    if (how % 4 == 0) c.tcp.peer_fin(now_);
    else if (how % 4 == 1) c.tcp.close(l4::CloseReason::kPeerReset, now_);
    else if (c.user.ended) return;
    else if (how % 4 == 2) c.user.abort(now_);
    else if (c.user.open && !std::exchange(c.shut, true)) c.user.shutdown(now_);
  }
  void pass(Duration d) {
    now_ += d;
    timers_.advance(now_);
  }
  void take_turns() {
    for (auto& layer : layers_) {
      while (layer->shake_hands(now_)) {}
    }
  }
  void settle() {
    take_turns();
    for (auto& layer : layers_) layer->flush(now_);
  }

  // ---- What must hold ----

  void got(Connection& c) {
    const std::string text = c.user.received.substr(c.seen);
    c.seen = c.user.received.size();
    if (c.user.stream->early()) {
      require(c.late.empty(), "early data behind other data");
      c.early += text;
    } else {
      require(c.user.stream->handshake_complete(), "data before the handshake's end that is not early");
      c.late += text;
    }
    c.user.consumed(c.user.unconsumed, now_);
  }
  void check() const {
    std::size_t taken = 0, accepted = 0;
    for (const Connection& c : all_) {
      taken += c.early.empty() ? 0 : 1;
      require(early_.starts_with(c.early), "early data that the client did not write");
      require(late_.starts_with(c.late), "data that the client did not write");
      require(c.late.empty() || c.early.empty() || c.early == early_, "a part of early data is missing");
      require(c.early.size() <= kMaxEarlyData, "more early data than a ticket allows");
      require(c.tcp.gone() || c.user.ended || c.tcp.unconsumed <= 2 * kRecord, "more is kept than a record or two");
    }
    for (const auto& layer : layers_) accepted += layer->stats().early_data_accepted.get();
    require(taken <= accepted, "early data that was not accepted");
    require(accepted <= (accepts_ ? 1 : 0), "early data accepted twice, or where it must not be");
  }

  const bool accepts_;
  Instant now_{std::chrono::seconds(100)};
  TimerWheel timers_{now_};
  ReplayGuard guard_;
  std::array<std::unique_ptr<TlsLayer>, kWorkers> layers_;
  std::unique_ptr<Client> client_;
  std::string early_, late_;  ///< All that it wrote.
  std::string flight_;
  std::array<Connection, kConnections> all_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char*** argv) {
  sluice::test::start_eal((*argv)[0]);
  testing::UnitTest::GetInstance()->listeners().Append(new Contract);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in{{reinterpret_cast<const char*>(data), size}};
  const std::uint8_t first = in.byte();
  Site& s = site(first & 3);
  const std::size_t before = free_buffers();
  {
    World w(s, static_cast<Memory>(first >> 2 & 3), (first & 0x20) == 0, (first & 0x10) != 0, in);
    for (int steps = 0; !in.rest.empty() && steps < 48; ++steps) w.step(in);
  }
  require(free_buffers() == before, "buffers leaked");
  return 0;
}
