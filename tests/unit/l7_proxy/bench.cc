// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/l7_proxy/bench.h"

#include <algorithm>

#include "l7/http/message.h"

namespace sluice::l7::proxy::test {

// ---- FakeStream
// -----------------------------------------------------------------------------------------------------

void FakeStream::check_alive(const char* call) const {
  EXPECT_FALSE(ended()) << call << " on a stream that has ended (" << flow_.remote.to_string() << ")";
}

void FakeStream::open() {
  is_open = true;
  events->on_open(*now_);
}

void FakeStream::deliver(std::string_view text, std::size_t segment) {
  ASSERT_FALSE(ended()) << "deliver() to a stream that has ended";
  ASSERT_LE(text.size(), window()) << "the peer sends more than its window";
  unconsumed_ += text.size();
  events->on_data(sluice::test::chain_of(text, segment), *now_);
}

void FakeStream::deliver_early(std::string_view text) {
  is_complete = false;
  early_left_ += text.size();
  deliver(text);
}

void FakeStream::finish_handshake() {
  is_complete = true;
  events->on_writable(*now_);
}

void FakeStream::peer_closes() {
  ASSERT_FALSE(ended());
  peer_closed = true;
  events->on_peer_closed(*now_);
}

void FakeStream::closes(l4::CloseReason reason) {
  ASSERT_FALSE(ended());
  is_closed = true;
  queue_.clear();
  events->on_closed(reason, *now_);
}

std::string FakeStream::read(std::size_t most) {
  const std::size_t n = std::min(most, queue_.size());
  std::string out = queue_.to_string().substr(0, n);
  acknowledge(n);
  return out;
}

void FakeStream::skip() { acknowledge(queue_.size()); }

void FakeStream::acknowledge(std::size_t n) {
  queue_.drop_front(n);
  if (!ended() && was_full_ && queue_.size() <= kSendBound / 2) {
    was_full_ = false;
    events->on_writable(*now_);
  }
}

void FakeStream::send(BufChain data, Instant) {
  check_alive("send");
  EXPECT_TRUE(is_open) << "send before on_open";
  if (is_shut) return;
  queue_.append(std::move(data));
  largest_queue = std::max(largest_queue, queue_.size());
}

std::size_t FakeStream::send_space() const {
  check_alive("send_space");
  if (queue_.size() < kSendBound) return kSendBound - queue_.size();
  was_full_ = true;
  return 0;
}

std::size_t FakeStream::unsent_or_unacked() const {
  check_alive("unsent_or_unacked");
  return queue_.size();
}

void FakeStream::consumed(std::size_t n, Instant) {
  check_alive("consumed");
  EXPECT_LE(n, unconsumed_) << "consumed more than was delivered";
  unconsumed_ -= std::min(n, unconsumed_);
  early_left_ -= std::min(n, early_left_);
}

void FakeStream::shutdown(Instant) {
  check_alive("shutdown");
  is_shut = true;
}

void FakeStream::abort(Instant) {
  check_alive("abort");
  is_aborted = true;
}

// ---- FakeConnector
// --------------------------------------------------------------------------------------------------

upstream::Connecting FakeConnector::connect(const Endpoint& remote, const upstream::Tls& tls, l4::StreamEvents* events,
                                            Instant) {
  if (const auto it = modes_.find(remote); it != modes_.end() && it->second == Mode::kFailsAtOnce) {
    return {nullptr, nullptr, l4::CloseReason::kUnreachable};
  }
  const FlowKey flow{{IpAddr::v4(0x0a000064), next_port_++}, remote};
  streams.push_back(std::make_unique<FakeStream>(flow, now_));
  FakeStream* const made = streams.back().get();
  made->events = events;
  made->tls = tls;
  pending_.push_back(made);
  return {made, tls == nullptr ? nullptr : made, l4::CloseReason::kNormal};
}

void FakeConnector::settle() {
  while (!pending_.empty()) {
    FakeStream* s = pending_.front();
    pending_.pop_front();
    if (s->ended()) continue;
    const auto it = modes_.find(s->flow().remote);
    const Mode mode = it == modes_.end() ? Mode::kOpens : it->second;
    if (mode == Mode::kOpens)
      s->open();
    else if (mode == Mode::kRefuses)
      s->closes(l4::CloseReason::kRefused);
  }
}

// ---- Bench
// ----------------------------------------------------------------------------------------------------------

Bench::Bench() : free_before_(sluice::test::free_buffers()) {
  wheel = std::make_unique<TimerWheel>(now);
  shared = std::make_unique<Shared>(1, 1024);
  shared->process_seed[0] = 42;
  connector = std::make_unique<FakeConnector>(&now);
  worker =
      std::make_unique<WorkerState>(WorkerId{0}, sluice::test::buffers(), *wheel, *shared, *connector, 1000);
  group = std::make_shared<ServerGroup>();
  group->id = "web";
  group->members = {member(1)};
  listener = std::make_shared<Listener>();
  listener->id = "front";
  listener->port = 80;
  auto rule = std::make_shared<Rule>();
  rule->id = "all";
  rule->action = ForwardAction{{{GroupSlot{0}, 100}}};
  rules = {rule};
  publish();
}

Bench::~Bench() = default;

void Bench::TearDown() {
  // All clients leave: whatever state their requests are in, nothing may stay behind.
  for (auto& c : clients_) {
    if (!c->ended()) c->closes(l4::CloseReason::kPeerReset);
  }
  poll();
  EXPECT_EQ(worker->stats.connections_active.get(), 0u);
  EXPECT_EQ(worker->stats.requests_active.get(), 0u);
  for (std::uint32_t slot = 0; slot < 32; ++slot) {
    EXPECT_EQ(shared->backends.active(BackendSlot{slot}), 0u) << "slot " << slot;
  }
  worker.reset();
  EXPECT_EQ(wheel->armed_count(), 0u);
  clients_.clear();
  connector.reset();
  EXPECT_EQ(sluice::test::free_buffers(), free_before_) << "buffers leaked";
}

Member Bench::member(unsigned i, std::uint16_t weight) const {
  return {.id = "m" + std::to_string(i),
          .address = {IpAddr::v4(0x0a000000 + i), 8080},
          .weight = weight,
          .slot = BackendSlot{i}};
}

void Bench::publish() {
  std::vector<route::RuleError> errors;
  auto fresh = std::make_shared<Listener>(*listener);
  fresh->router = route::Router::compile(rules, route::Order::kSpecific, nullptr, errors);
  ASSERT_TRUE(errors.empty());
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->revision = ++revision_;
  const IpAddr vip = IpAddr::v4(0xc0000201);
  snapshot->vips.addresses = {vip};
  if (listener->port != 0) snapshot->listeners[{vip, listener->port}] = fresh;
  if (second_listener != nullptr) {
    auto second = std::make_shared<Listener>(*second_listener);
    second->router = fresh->router;
    snapshot->listeners[{vip, second->port}] = second;
  }
  snapshot->groups = {std::make_shared<ServerGroup>(*group)};
  snapshot->groups.insert(snapshot->groups.end(), more_groups.begin(), more_groups.end());
  snapshots_.push_back(std::move(snapshot));
  worker->adopt(snapshots_.back().get(), now);
}

void Bench::poll() {
  for (int i = 0; i < 100; ++i) {
    connector->settle();
    if (!worker->run_ready(now)) break;
  }
  connector->settle();
  const auto both_closed = [](FakeStream& s) {
    return !s.ended() && s.is_shut && s.peer_closed && s.all_read();
  };
  for (auto& c : clients_) {
    if (both_closed(*c)) c->closes(l4::CloseReason::kNormal);
  }
  for (auto& u : connector->streams) {
    if (both_closed(*u)) u->closes(l4::CloseReason::kNormal);
  }
  worker->reap();
}

void Bench::advance(Duration d) {
  now += d;
  wheel->advance(now);
  poll();
}

FakeStream& Bench::connect_client(std::uint16_t port, bool tls) {
  const FlowKey flow{{IpAddr::v4(0xc0000201), port}, {IpAddr::v4(0xc6336407), next_client_port_++}};
  clients_.push_back(std::make_unique<FakeStream>(flow, &now));
  FakeStream& stream = *clients_.back();
  ClientSession* session = worker->new_session();
  session->attach(stream, tls ? &stream : nullptr, now);
  stream.events = session;
  stream.open();
  return stream;
}

std::string Bench::ask(std::string_view request) {
  FakeStream& client = connect_client();
  client.deliver(request);
  poll();
  return client.read();
}

AccessRecord Bench::log() {
  AccessRecord record;
  EXPECT_TRUE(shared->access_logs[0]->pop(record)) << "no access record";
  return record;
}

std::size_t Bench::log_count() {
  std::size_t n = 0;
  AccessRecord record;
  while (shared->access_logs[0]->pop(record)) ++n;
  return n;
}

// ---- Looking at text
// ------------------------------------------------------------------------------------------------

int status_of(std::string_view text) {
  if (!text.starts_with("HTTP/1.1 ") || text.size() < 12) return 0;
  return std::stoi(std::string(text.substr(9, 3)));
}

std::string field_of(std::string_view text, std::string_view name) {
  text = text.substr(0, text.find("\r\n\r\n") + 2);
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && http::equals_ignore_case(line.substr(0, colon), name)) {
      return std::string(line.substr(std::min(line.size(), colon + 2)));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 2);
  }
  return "-";
}

std::string body_of(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string() : std::string(text.substr(end + 4));
}

}  // namespace sluice::l7::proxy::test
