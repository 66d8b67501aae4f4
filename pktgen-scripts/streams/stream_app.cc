// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/streams/stream_app.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <random>

namespace sluice::pktgen {
namespace {

/// Address number `n` of a network, from 1 (0 is the network's own).
IpAddr nth(const IpPrefix& net, std::uint32_t n) {
  if (net.address.is_v4()) return IpAddr::v4(net.address.v4_value() + n);
  auto bytes = net.address.bytes();
  for (unsigned i = 0; i < 4; ++i) bytes[15 - i] = static_cast<std::uint8_t>(bytes[15 - i] + (n >> 8 * i));
  return IpAddr::v6_bytes(bytes.data());
}

/// Where this run's client addresses begin: not where those of the runs of the last minutes did. The target
/// may hold connections of theirs in TIME-WAIT, and a new process's timestamps and sequence numbers do not
/// follow theirs (RFC 6191).
std::uint32_t first_address(const IpPrefix& net, std::uint32_t wanted) {
  const unsigned bits = std::min(31u, (net.address.is_v4() ? 32u : 128u) - net.length);
  const std::uint64_t room = (std::uint64_t{1} << bits) - 2 - wanted;  // checked by main
  return 1 + static_cast<std::uint32_t>(static_cast<std::uint64_t>(std::time(nullptr)) * wanted % (room + 1));
}

BufChain chain_of(std::span<const std::uint8_t> bytes, std::size_t segment, BufPool& buffers) {
  BufChain out;
  while (!bytes.empty()) {
    Buf b = buffers.alloc();
    if (!b) return {};
    const std::size_t n = std::min({bytes.size(), segment, b.tailroom()});
    std::memcpy(b.append(n), bytes.data(), n);
    out.push_back(std::move(b));
    bytes = bytes.subspan(n);
  }
  return out;
}

std::vector<std::uint8_t> joined(const std::string& head, const Pattern& body) {
  std::vector<std::uint8_t> out(head.begin(), head.end());
  out.insert(out.end(), body.bytes().begin(), body.bytes().end());
  return out;
}

l4::tcp::Config tcp_config(const Shape& shape) {
  l4::tcp::Config c;
  c.max_connections = 3 * std::size_t{shape.connections} + 65536;  // clients, backends, and those that end
  // We end connections that we opened, and need their ports again soon. Nobody else's are confused: the wire
  // between us and the appliance is ours.
  c.time_wait = std::chrono::milliseconds(shape.impair.any() ? 500 : 5);
  c.syn_timeout = shape.timeout;
  c.user_timeout = std::max<Duration>(shape.timeout, std::chrono::seconds(10));
  std::random_device random;
  for (auto& word : c.secret) word = std::uint64_t{random()} << 32 | random();
  return c;
}

}  // namespace

StreamControl::StreamControl(const Options& o, const Shape& s, std::unique_ptr<TlsContext> t)
    : options(o), shape(s), tls(std::move(t)), request_body(s.request_body), response_body(s.response_body) {}

StreamApp::StreamApp(const WorkerServices& services, StreamControl& control)
    : services_(services),
      control_(control),
      connection_each_(control.shape.connection_each()),
      backend_pool_(3 * std::size_t{control.shape.connections} + 65536),
      window_(&control.nothing) {
  const Shape& shape = control.shape;
  if (shape.client_addresses > 1) {
    const std::uint32_t first = first_address(control.options.client_net, shape.client_addresses);
    for (std::uint32_t i = 0; i < shape.client_addresses; ++i) {
      addresses_.addresses.push_back(nth(control.options.client_net, first + i));
    }
  }
  std::ranges::sort(addresses_.addresses);
  if (shape.impair.any()) {
    bad_output_.emplace(services.output, control.options.target.address, shape.impair, services.buffers);
    bad_input_.emplace(shape.impair, 2, services.buffers);
    const WorkerServices through{services.id,  services.workers, services.buffers,     services.timers,
                                 *bad_output_, services.drops,   services.local_ports, services.start};
    stack_.emplace(tcp_config(shape), through, *this);
  } else {
    stack_.emplace(tcp_config(shape), services_, *this);
  }
  prepare_messages();
}

StreamApp::~StreamApp() {
  for (Client& c : clients_) leave(c);
  stack_.reset();
  for (List<Backend>* list : {&backends_, &dead_backends_}) {
    while (Backend* b = list->pop_front()) backend_pool_.destroy(b);
  }
}

void StreamApp::prepare_messages() {
  const Shape& s = control_.shape;
  const std::string start = fmt::format("{} {} HTTP/1.1\r\n", s.request_body > 0 ? "POST" : "GET", s.path);
  std::string head = start + fmt::format("Host: {}\r\n", s.host);
  if (s.request_body > 0) head += fmt::format("Content-Length: {}\r\n", s.request_body);
  if (s.kind == Shape::Kind::kHttp && !s.keep_alive) head += "Connection: close\r\n";
  request_bytes_ = joined(head + "\r\n", control_.request_body);
  const auto response_bytes = joined(
      fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                  s.response_body),
      control_.response_body);
  // Pieces as TCP sends them (timestamps on): then a packet refers to one of them and not to two halves.
  const std::size_t segment = control_.options.mtu - (control_.options.target.address.is_v4() ? 52u : 72u);
  request_ = chain_of(request_bytes_, segment, services_.buffers);
  response_ = chain_of(response_bytes, segment, services_.buffers);
  request_rules_.start = start;
  request_rules_.body = &control_.request_body;
  response_rules_.start = "HTTP/1.1 200 ";
  response_rules_.wrong_start = Verdict::kStatus;
  response_rules_.body = &control_.response_body;
}

// ---- The worker's calls

void StreamApp::on_packets(std::span<net::Packet> batch, Instant now) {
  if (!bad_input_) return stack_->input(batch, now);
  for (net::Packet& p : batch) {
    if (p.flow.remote.address == control_.options.target.address) {
      bad_input_->pass(p, passed_, now);
    } else {
      passed_.push_back(std::move(p));
    }
  }
  stack_->input(passed_, now);
  passed_.clear();
}

void StreamApp::on_poll(Instant now) {
  take_window(now);
  if (bad_input_) {
    bad_input_->release(passed_, now);
    stack_->input(passed_, now);
    passed_.clear();
  }
  if (draining_) {
    drain(now);
  } else {
    admit();
    if (!connection_each_) open_connections(now);
    start_operations(now);
  }
  check_patience(now);
  while (Backend* b = dead_backends_.pop_front()) backend_pool_.destroy(b);
  control_.outstanding.set(waiting_.size());
  stack_->flush(now);
  if (bad_output_) bad_output_->release(now);
}

void StreamApp::take_window(Instant now) {
  Window* wanted = control_.wanted.load(std::memory_order_acquire);
  if (wanted == window_) return;
  window_->results.end = now;
  if (window_->load.rate > 0) count_unfinished(now);
  window_ = wanted;
  window_->results.begin = now;
  if (window_->load.rate > 0) schedule_ = Schedule(now, window_->load.rate);
  started_ = 0;
  control_.current.store(wanted, std::memory_order_release);
}

/// What is late at the end of the window would have been late in it: a histogram of what completed alone
/// flatters a target that hangs. Their ages are the least that these can take.
void StreamApp::count_unfinished(Instant now) {
  Results& r = window_->results;
  for (const Client* c = waiting_.front(); c != nullptr; c = c->next) {
    if (c->operating()) r.latency.record(now - c->intended());
  }
  r.behind = schedule_.behind(now);
  for (std::uint64_t n = r.behind; n > 0; --n) r.latency.record(now - schedule_.take());
}

void StreamApp::admit() {
  while (clients_.size() < window_->load.clients) {
    Client& c = clients_.emplace_back(*this, static_cast<std::uint32_t>(clients_.size()));
    move(c, &closed_);
  }
}

void StreamApp::open_connections(Instant now) {
  // As many as there are now: one that fails at once comes back to the list.
  for (std::size_t n = closed_.size(); n > 0 && opening_ < kMaxOpening; --n) closed_.front()->open(now);
}

void StreamApp::start_operations(Instant now) {
  List<Client>& from = connection_each_ ? closed_ : ready_;
  const bool open_loop = window_->load.rate > 0;
  for (std::size_t n = from.size(); n > 0 && started_ < window_->load.operations; --n) {
    if (open_loop && !schedule_.due(now)) return;
    // A million that are asked at the same time would be a test of our buffers.
    if (control_.shape.kind == Shape::Kind::kIdle && waiting_.size() >= kMaxOpening) return;
    ++started_;
    from.front()->start(open_loop ? schedule_.take() : now, now);
  }
}

void StreamApp::check_patience(Instant now) {
  for (unsigned n = 0; n < 64 && !waiting_.empty(); ++n) {
    Client& c = *waiting_.front();
    if (now - c.waits_since <= control_.shape.timeout) return;
    c.timed_out(now);
  }
}

/// Clients first, then what the appliance keeps open to the backends. Our last ACKs must be taken off the
/// wire before we go: memif and vhost-user forget what lies in their rings.
void StreamApp::drain(Instant now) {
  constexpr Duration kOnTheWire = std::chrono::milliseconds(100);
  if (stack_->connections() > 0) {
    empty_since_ = kNever;
  } else {
    empty_since_ = std::min(empty_since_, now);
    drained_ = now - empty_since_ > kOnTheWire;
  }
  constexpr unsigned kAtOnce = 64;
  for (unsigned n = 0; n < kAtOnce && drained_clients_ < clients_.size(); ++n)
    clients_[drained_clients_++].close(now);
  if (drained_clients_ < clients_.size() || !waiting_.empty()) return;
  for (unsigned n = 0; n < kAtOnce && !backends_.empty(); ++n) {
    Backend& b = *backends_.front();
    backends_.remove(b);
    backends_.push_back(b);
    b.close(now);
  }
}

l4::StreamEvents* StreamApp::accept(l4::Stream& stream, Instant) {
  Backend* b = backend_pool_.create(*this, stream);
  if (b != nullptr) backends_.push_back(*b);
  return b;
}

// ---- For clients and backends

l4::tcp::ConnectResult StreamApp::connect(std::uint32_t client, l4::StreamEvents* events, Instant now) {
  ++opening_;
  std::optional<IpAddr> local;
  if (!addresses_.addresses.empty()) local = addresses_.addresses[client % addresses_.addresses.size()];
  return stack_->connect(control_.options.target, events, now, local);
}

void StreamApp::move(Client& c, List<Client>* to) {
  if (c.list != nullptr) c.list->remove(c);
  c.list = to;
  if (to != nullptr) to->push_back(c);
}

void StreamApp::wait(Client& c, Instant now) {
  c.waits_since = now;
  move(c, &waiting_);
}

void StreamApp::opened() {
  --opening_;
  results().opened.add();
  control_.connections.add();
}

void StreamApp::completed(Duration latency) {
  results().operations.add();
  results().latency.record(latency);
}

void StreamApp::closed(Client& c, bool was_open) {
  if (was_open) {
    control_.connections.sub();
  } else {
    --opening_;
  }
  move(c, &closed_);
}

void StreamApp::recycle(Backend& b) {
  backends_.remove(b);
  dead_backends_.push_back(b);
}

}  // namespace sluice::pktgen
