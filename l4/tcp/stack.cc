// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/stack.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "l4/tcp/gro.h"
#include "l4/tcp/handshake.h"
#include "l4/tcp/pmtu.h"
#include "l4/tcp/receive.h"
#include "l4/tcp/reset.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/sender.h"
#include "l4/tcp/stack_impl.h"
#include "l4/tcp/user.h"

namespace sluice::l4::tcp {
namespace {

constexpr std::size_t kBatch = 64;

/// What an ordinary segment touches: all of it, a cache line at a time.
void prefetch(const Socket& s) {
  constexpr std::size_t kLine = 64;
  const auto* at = reinterpret_cast<const std::uint8_t*>(&s);
  for (std::size_t i = 0; i < sizeof s; i += kLine) __builtin_prefetch(at + i);
}

}  // namespace

Stack::Impl::Impl(const Config& config, const WorkerServices& services, Acceptor& acceptor)
    : services_(services),
      acceptor_(acceptor),
      outbox_(services.output),
      env_(config, services.buffers, services.drops, outbox_),
      pool_(config.max_connections + kSpareSockets),
      table_(env_.secrets.table_seed()),
      time_wait_(env_),
      time_wait_timer_(
          [](void* self, Instant now) {
            auto& stack = *static_cast<Impl*>(self);
            stack.time_wait_.expire(now);
            stack.arm_time_wait();
          },
          this),
      ports_(services.local_ports, env_.secrets),
      backlogs_(16, EndpointHash{env_.secrets.table_seed()}) {}

Stack::Impl::~Impl() {
  // Users are gone or going: nobody is told. Peers learn from the RST that answers their next segment.
  std::vector<Socket*> open;
  table_.for_each([&](Socket& s) { open.push_back(&s); });
  for (Socket* s : open) bury(*s);
  free_gone();
}

// ---- Segments in

void Stack::Impl::input(std::span<net::Packet> batch, Instant now) {
  outbox_.set_time(now);
  for (; !batch.empty(); batch = batch.subspan(std::min(batch.size(), kBatch))) {
    arrive(batch.first(std::min(batch.size(), kBatch)), now);
  }
  deliver(now);
}

/// With many connections nearly every one is far from the core: slots, then sockets, are fetched for all
/// before the first is needed.
void Stack::Impl::arrive(std::span<net::Packet> batch, Instant now) {
  std::array<std::uint64_t, kBatch> hashes;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    hashes[i] = table_.hash(batch[i].flow);
    table_.prefetch_slot(hashes[i]);
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (const Socket* s = table_.first_at(hashes[i])) prefetch(*s);
  }
  for (std::size_t i = 0; i < batch.size();) {
    Socket* s = table_.find(batch[i].flow, hashes[i]);
    const std::size_t joined =
        s == nullptr ? 0 : join_followers(*s, batch.subspan(i), {hashes.data() + i, batch.size() - i});
    packet_arrives(batch[i], s, now);
    i += 1 + joined;
  }
}

/// Makes one segment of the first of `batch`, which is of `s`, and of those behind it that continue it. Returns the
/// number of these.
std::size_t Stack::Impl::join_followers(const Socket& s, std::span<net::Packet> batch,
                                        std::span<const std::uint64_t> hashes) {
  if (batch.size() < 2 || hashes[0] != hashes[1] || !env_.config.segmentation) return 0;
  if (!may_join(s.core, batch[0])) return 0;
  std::size_t n = 0;
  while (n + 1 < batch.size() && hashes[n + 1] == hashes[0] && join(batch[0], batch[n + 1])) ++n;
  env_.stats.segments_in.add(n);
  return n;
}

/// `socket`: the connection of its flow, or null.
void Stack::Impl::packet_arrives(net::Packet& p, Socket* socket, Instant now) {
  env_.stats.segments_in.add();
  Segment s;
  const auto first = p.chain.empty() ? std::span<const std::uint8_t>() : BufChain::view(p.chain.front());
  const auto header = first.size() < p.header_len ? std::nullopt : parse_header(first.first(p.header_len));
  if (!header) {
    env_.drops.add(DropReason::kTcpBadSegment);
    return p.chain.clear();
  }
  s.header = *header;
  s.payload = std::move(p.chain);
  s.payload.drop_front(p.header_len);
  s.ce = (p.tos & kEcnMask) == kCe;

  if (socket != nullptr) {
    segment_arrives(socket->core, s, now);
    settle(*socket, now);
  } else {
    arrives_without_connection(p.flow, s, now);
  }
}

void Stack::Impl::arrives_without_connection(const FlowKey& flow, Segment& s, Instant now) {
  SeqNum iss = env_.secrets.isn(flow, now);
  bool reused = false;
  if (TimeWaitEntry* e = time_wait_.find(flow)) {
    if (!time_wait_.segment_arrives(*e, s, now)) return;
    iss = TimeWaitTable::next_iss(*e, iss);
    if (!acceptor_.listens(flow.local)) return env_.drops.add(DropReason::kTcpNoListener);
    time_wait_.remove(*e);
    reused = true;
  }
  if (!s.rst() && acceptor_.listens(flow.local)) {
    if (acceptor_.denies(flow)) return env_.drops.add(DropReason::kTcpSourceDenied);
    return arrives_in_listen(flow, s, iss, reused, now);
  }
  // RFC 9293, 3.10.7.1, CLOSED.
  const bool opening = s.syn() && !s.has_ack();
  env_.drops.add(opening ? DropReason::kTcpNoListener : DropReason::kTcpNoConnection);
  refuse(flow, s, now);
}

void Stack::Impl::refuse(const FlowKey& flow, const Segment& s, Instant now) {
  if (s.rst()) return;
  if (!env_.resets.allow(now)) return env_.stats.resets_suppressed.add();
  answer_with_reset(env_, flow, s);
}

/// RFC 9293, 3.10.7.2. First step, RST, was the caller's. `reused`: a connection of this flow was in
/// TIME-WAIT, and only `iss` is known to lie beyond it.
void Stack::Impl::arrives_in_listen(const FlowKey& flow, Segment& s, SeqNum iss, bool reused, Instant now) {
  if (s.has_ack()) return acknowledgement_in_listen(flow, s, now);             // second
  if (!s.syn() || s.fin()) return env_.drops.add(DropReason::kTcpBadSegment);  // fourth
  const std::uint16_t mtu = services_.output.mtu(flow.remote.address);         // third: SYN
  if (mtu == 0) return env_.drops.add(DropReason::kNoRoute);
  if (const auto why = acceptor_.refuses(flow, now)) return env_.drops.add(*why);
  Backlog& backlog = backlogs_[flow.local];
  if (backlog.size() >= env_.config.max_backlog) {
    env_.drops.add(DropReason::kTcpBacklogFull);
    if (!reused) {
      backlog.sent_cookie(now);
      send_syn_cookie(env_, flow, s, mtu, now);
      return;
    }
    if (backlog.oldest() != nullptr) bury(*backlog.oldest());
  }
  Socket* socket = make(flow, true, now);
  if (socket == nullptr) return env_.drops.add(DropReason::kTcpConnectionLimit);
  backlog.add(*socket);
  open_passive(socket->core, iss, s, mtu, now);
  want_output(*socket);
}

/// Perhaps of a SYN cookie. While there may be such, others get no RST: a client whose handshake's ACK was
/// lost comes again with a segment that proves itself.
void Stack::Impl::acknowledgement_in_listen(const FlowKey& flow, Segment& s, Instant now) {
  const auto backlog = backlogs_.find(flow.local);
  const bool cookies = backlog != backlogs_.end() && backlog->second.cookies(now);
  const auto syn = cookies ? check_syn_cookie(env_, flow, s, now) : std::nullopt;
  if (!syn) {
    env_.drops.add(DropReason::kTcpNoConnection);
    return cookies ? void() : refuse(flow, s, now);
  }
  const std::uint16_t mtu = services_.output.mtu(flow.remote.address);
  if (mtu == 0) return env_.drops.add(DropReason::kNoRoute);
  if (const auto why = acceptor_.refuses(flow, now)) return env_.drops.add(*why);
  Socket* socket = make(flow, true, now);
  if (socket == nullptr) return env_.drops.add(DropReason::kTcpConnectionLimit);
  env_.stats.syn_cookies_accepted.add();
  open_from_cookie(socket->core, s.ack() - 1, *syn, mtu, now);
  segment_arrives(socket->core, s, now);
  settle(*socket, now);
}

void Stack::Impl::on_icmp_error(const net::IcmpError& error, Instant now) {
  Socket* s = error.protocol == 6 ? table_.find(error.flow) : nullptr;
  if (s == nullptr) return;
  outbox_.set_time(now);
  icmp_error_arrives(s->core, error, now);
  settle(*s, now);
  deliver(now);
}

void Stack::Impl::on_timer(void* socket, Instant now) {
  auto& s = *static_cast<Socket*>(socket);
  Impl& stack = s.stack();
  if (s.gone) return;
  stack.outbox_.set_time(now);
  if (next_deadline(s.core) <= now) on_deadline(s.core, now);
  stack.settle(s, now);
  stack.deliver(now);
}

// ---- Opening

Socket* Stack::Impl::make(const FlowKey& flow, bool passive, Instant now) {
  if (table_.size() >= env_.config.max_connections) evict_stalled(now);
  if (table_.size() >= env_.config.max_connections) return nullptr;
  Socket* s = pool_.create(*this, flow, passive);
  if (s == nullptr) return nullptr;
  table_.insert(*s);
  s->in_table = true;
  env_.stats.connections_active.add();
  return s;
}

std::optional<FlowKey> Stack::Impl::choose_flow(const IpAddr& source, const Endpoint& remote, Instant now) {
  const auto flow = [&](std::uint16_t port) { return FlowKey{{source, port}, remote}; };
  auto port = ports_.choose(source, remote, [&](std::uint16_t p) {
    return table_.find(flow(p)) == nullptr && time_wait_.find(flow(p)) == nullptr;
  });
  if (!port) {  // all are used or waiting: a waiting one that the peer can tell apart
    port = ports_.choose(source, remote, [&](std::uint16_t p) {
      const TimeWaitEntry* e = time_wait_.find(flow(p));
      return e != nullptr && TimeWaitTable::reusable(*e, now);
    });
  }
  if (!port) return std::nullopt;
  return flow(*port);
}

ConnectResult Stack::Impl::connect(const Endpoint& remote, StreamEvents* events, Instant now,
                                   std::optional<IpAddr> source) {
  if (!source) source = services_.output.source_for(remote.address);
  const std::uint16_t mtu = services_.output.mtu(remote.address);
  if (!source || mtu == 0) return {nullptr, CloseReason::kUnreachable};
  const auto flow = choose_flow(*source, remote, now);
  if (!flow) return {nullptr, CloseReason::kNoResources};
  SeqNum iss = env_.secrets.isn(*flow, now);
  Socket* s = make(*flow, false, now);
  if (s == nullptr) return {nullptr, CloseReason::kNoResources};
  if (TimeWaitEntry* e = time_wait_.find(*flow)) {
    iss = TimeWaitTable::next_iss(*e, iss);
    time_wait_.remove(*e);
  }
  s->events = events;
  open_active(s->core, iss, mtu, now);
  want_output(*s);
  return {s, CloseReason::kNormal};
}

// ---- What the core's state asks of the stack

void Stack::Impl::settle(Socket& s, Instant now) {
  Connection& c = s.core;
  if (s.backlog != nullptr && c.state != State::kSynReceived) s.backlog->remove(s);
  if (c.state == State::kTimeWait && s.in_table) {
    take_out(s);
    time_wait_.add(c, now);
    arm_time_wait();
  } else if (c.state == State::kClosed) {
    take_out(s);
  }
  if (c.pending.any() && !s.in_events) {
    s.in_events = true;
    events_.push_back(&s);
    __builtin_prefetch(s.events);  // who is told when all segments have been worked on
  }
  want_output(s);
}

void Stack::Impl::deliver(Instant now) {
  // What comes up meanwhile follows.
  for (std::size_t i = 0; i < events_.size(); ++i) {
    Socket& s = *events_[i];
    s.in_events = false;
    if (!s.gone) deliver_to(s, now);
  }
  events_.clear();
}

void Stack::Impl::deliver_to(Socket& s, Instant now) {
  PendingEvents e = std::exchange(s.core.pending, {});
  if (e.opened) {
    if (s.core.passive) s.events = acceptor_.accept(s, now);
    if (s.gone) return;
    if (s.events == nullptr) return abort(s, now);
    s.events->on_open(now);
  }
  if (!s.gone && e.writable && s.events != nullptr) s.events->on_writable(now);
  if (!s.gone && !e.data.empty() && s.events != nullptr) s.events->on_data(std::move(e.data), now);
  if (!s.gone && e.peer_closed && s.events != nullptr) s.events->on_peer_closed(now);
  if (s.gone || !e.closed) return;
  StreamEvents* user = std::exchange(s.events, nullptr);
  bury(s);
  if (user != nullptr) user->on_closed(e.reason, now);
}

void Stack::Impl::abort(Socket& s, Instant now) {
  if (s.gone) return;
  outbox_.set_time(now);
  user_abort(s.core, now);
  s.events = nullptr;
  bury(s);
}

/// The worst offender of those that have been stalled for longest: whoever holds most. Its user is told by
/// the next deliver().
void Stack::Impl::evict_stalled(Instant now) {
  constexpr int kCandidates = 16;
  Socket* worst = nullptr;
  int seen = 0;
  for (Socket* s = stalled_.first(); s != nullptr && seen < kCandidates; s = s->by_age.next, ++seen) {
    if (now - s->core.stalled_at < env_.config.stall_grace) break;
    if (worst == nullptr || s->core.queue.size() > worst->core.queue.size()) worst = s;
  }
  if (worst == nullptr) return;
  env_.stats.stalled_evicted.add();
  give_up_stalled(worst->core, now);
  settle(*worst, now);
}

/// After output: what the connection holds, and whether its peer lets it go.
void Stack::Impl::account(Socket& s) {
  const Connection& c = s.core;
  const auto held = static_cast<std::uint32_t>(c.queue.size() + c.reassembly.bytes() + c.unconsumed);
  if (held != s.accounted) {
    env_.stats.buffered_bytes.add(held);
    env_.stats.buffered_bytes.sub(std::exchange(s.accounted, held));
  }
  const bool is = stalled(c);
  if (is == std::exchange(s.in_stalled, is)) return;
  if (is) {
    stalled_.push_back(s);
  } else {
    stalled_.remove(s);
  }
}

void Stack::Impl::take_out(Socket& s) {
  if (s.backlog != nullptr) s.backlog->remove(s);
  if (std::exchange(s.in_stalled, false)) stalled_.remove(s);
  env_.stats.buffered_bytes.sub(std::exchange(s.accounted, 0));
  s.timer.disarm();
  if (!std::exchange(s.in_table, false)) return;
  table_.erase(s);
  env_.stats.connections_active.sub();
}

void Stack::Impl::bury(Socket& s) {
  if (std::exchange(s.gone, true)) return;
  take_out(s);
  gone_.push_back(&s);
}

void Stack::Impl::free_gone() {
  for (Socket* s : gone_) pool_.destroy(s);
  gone_.clear();
}

// ---- Segments out

void Stack::Impl::want_output(Socket& s) {
  if (s.dirty || s.gone) return;
  s.dirty = true;
  dirty_.push_back(&s);
}

void Stack::Impl::output_to(Socket& s, Instant now) {
  output(s.core, now);
  account(s);
  arm(s);
}

void Stack::Impl::flush(Instant now) {
  outbox_.set_time(now);
  if (stalled_.first() != nullptr && env_.scarce_buffers(now)) evict_stalled(now);
  deliver(now);
  while (!dirty_.empty()) {
    Socket& s = *dirty_.back();
    dirty_.pop_back();
    s.dirty = false;
    if (!s.gone && s.in_table) output_to(s, now);
  }
  outbox_.flush();
  free_gone();
  env_.stats.memory_bytes.set(pool_.live() * sizeof(Socket) + table_.bytes() + time_wait_.bytes() +
                              env_.flight.bytes() + env_.congestion.bytes() +
                              env_.blocks.live() * sizeof(ReassemblyBlock));
}

void Stack::Impl::arm(Socket& s) {
  const Instant deadline = next_deadline(s.core);
  // A timer that is early costs one look; moving it with each segment would cost more.
  if (deadline == kNever || (s.timer.armed() && s.timer.deadline() <= deadline)) return;
  services_.timers.arm(s.timer, deadline);
}

void Stack::Impl::arm_time_wait() {
  const Instant deadline = time_wait_.next_deadline();
  if (deadline != kNever && !time_wait_timer_.armed()) services_.timers.arm(time_wait_timer_, deadline);
}

// ---- The wall

Stack::Stack(const Config& config, const WorkerServices& services, Acceptor& acceptor)
    : impl_(std::make_unique<Impl>(config, services, acceptor)) {}
Stack::~Stack() = default;
void Stack::input(std::span<net::Packet> batch, Instant now) { impl_->input(batch, now); }
void Stack::on_icmp_error(const net::IcmpError& error, Instant now) { impl_->on_icmp_error(error, now); }
void Stack::flush(Instant now) { impl_->flush(now); }
ConnectResult Stack::connect(const Endpoint& remote, StreamEvents* events, Instant now,
                             std::optional<IpAddr> source) {
  return impl_->connect(remote, events, now, source);
}
std::size_t Stack::connections() const { return impl_->connections(); }
const Stats& Stack::stats() const { return impl_->env().stats; }

}  // namespace sluice::l4::tcp
