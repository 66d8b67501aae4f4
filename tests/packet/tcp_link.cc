// SPDX-License-Identifier: Apache-2.0
#include "tests/packet/tcp_link.h"

#include <algorithm>
#include <cstring>

#include "l4/tcp/ecn.h"
#include "l4/tcp/wire.h"
#include "tests/support/packets_on_the_wire.h"

namespace sluice::test {
namespace {

/// The byte at a position of the stream: long period, so that shifted or repeated data shows.
char byte_at(std::size_t position) { return static_cast<char>((position * 2654435761u) >> 13); }

}  // namespace

// ---- Host

SimHost::SimHost(IpAddr address, const l4::tcp::Config& config, std::uint16_t path_mtu, Instant start)
    : timers(start), address_(address), mtu_(path_mtu) {
  const WorkerServices services{WorkerId{0}, 1, buffers(), timers, *this, drops, PortRange{20000, 30000},
                                start};
  stack = std::make_unique<l4::tcp::Stack>(config, services, *this);
}

l4::StreamEvents* SimHost::accept(l4::Stream& stream, Instant) {
  if (user == nullptr || user->stream != nullptr || user->closed) return nullptr;
  user->stream = &stream;
  return user;
}

void SimHost::send(std::span<net::OutPacket> batch, Instant now) {
  packets_on_the_wire(batch, [&](net::OutPacket& p) { link->transmit(*this, p, now); });
}

void SimHost::arrives(const std::string& bytes, const FlowKey& flow, std::uint8_t tos) {
  net::Packet& p = batch_.emplace_back();
  p.flow = flow;
  p.protocol = 6;
  p.tos = tos;
  p.header_len = static_cast<std::uint16_t>((static_cast<std::uint8_t>(bytes[12]) >> 4) * 4);
  p.chain = chain_of(bytes, 2000);
}

void SimHost::take_batch(Instant now) {
  if (batch_.empty()) return;
  stack->input(batch_, now);
  batch_.clear();
  stack->flush(now);
}

// ---- Link

SimLink::SimLink(SimHost& a, SimHost& b, const LinkModel& model, std::uint64_t seed, Instant start)
    : a_(a), b_(b), model_(model), random_(seed), now_(start), busy_until_{start, start} {
  a.link = b.link = this;
}

void SimLink::strip(std::string& bytes) const {
  const std::size_t length = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[12]) >> 4) * 4;
  auto h = l4::tcp::parse_header({reinterpret_cast<const std::uint8_t*>(bytes.data()), length});
  if (!h || !h->has(l4::tcp::kSyn)) return;
  if (model_.strip_sack) h->options.sack_permitted = false;
  if (model_.strip_timestamps) h->options.timestamp.reset();
  if (model_.strip_scaling) h->options.window_scale.reset();
  std::string header(l4::tcp::header_size(h->options), '\0');
  l4::tcp::write_header({reinterpret_cast<std::uint8_t*>(header.data()), header.size()}, *h);
  bytes.replace(0, length, header);
}

void SimLink::transmit(SimHost& from, net::OutPacket& p, Instant now) {
  std::string bytes = p.chain.to_string();
  const auto port = [&](std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[at]) << 8 |
                                      static_cast<std::uint8_t>(bytes[at + 1]));
  };
  const FlowKey flow{{p.destination, port(2)}, {p.source, port(0)}};
  p.chain.clear();
  strip(bytes);
  if (model_.marking > 0 && p.tos == l4::tcp::kEct0 && chance(model_.marking)) p.tos = l4::tcp::kCe;
  SimHost& to = &from == &a_ ? b_ : a_;
  Instant leaves = now;
  if (model_.bytes_per_second > 0) {
    Instant& busy = busy_until_[&from == &a_];
    const auto takes = [&](std::size_t n) {
      return Duration(static_cast<std::int64_t>(1e9 * static_cast<double>(n) /
                                                static_cast<double>(model_.bytes_per_second)));
    };
    const Duration each = takes(bytes.size() + 40);
    if (busy - now > takes(model_.queue * 1500)) {
      ++lost_;
      return;
    }
    leaves = busy = std::max(busy, now) + each;
  }
  if (chance(model_.loss) || chance(model_.bit_error)) {
    ++lost_;
    return;
  }
  for (int copies = chance(model_.duplication) ? 2 : 1; copies > 0; --copies) {
    Duration extra{0};
    if (model_.jitter > Duration::zero()) {
      extra = Duration(std::uniform_int_distribution<std::int64_t>(0, model_.jitter.count())(random_));
    }
    flights_.emplace(leaves + model_.delay + extra, Flight{&to, flow, bytes, p.tos});
  }
}

bool SimLink::step(Instant limit) {
  const Instant flight = flights_.empty() ? kNever : flights_.begin()->first;
  Instant next = std::min({flight, a_.timers.next_deadline(), b_.timers.next_deadline()});
  if (next > limit) return false;
  now_ = std::max(next, now_ + (next == flight ? Duration(0) : TimerWheel::kTick));
  while (!flights_.empty() && flights_.begin()->first <= now_) {
    Flight f = std::move(flights_.begin()->second);
    flights_.erase(flights_.begin());
    f.to->arrives(f.bytes, f.flow, f.tos);
  }
  for (SimHost* h : {&a_, &b_}) h->take_batch(now_);
  for (SimHost* h : {&a_, &b_}) {
    h->timers.advance(now_);
    h->stack->flush(now_);
  }
  return true;
}

// ---- User

SimUser::SimUser(std::size_t to_send, std::size_t to_get, std::uint64_t seed)
    : to_send_(to_send), to_get_(to_get), random_(seed) {}

void SimUser::fill(Instant now) {
  while (stream != nullptr && sent < to_send_ && stream->send_space() > 0) {
    const std::size_t n = std::min({to_send_ - sent, stream->send_space(), 1 + random_() % 6000});
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += byte_at(sent + i);
    sent += n;
    stream->send(chain_of(text, 200 + random_() % 1800), now);
    if (sent == to_send_) stream->shutdown(now);
  }
}

void SimUser::on_open(Instant now) {
  opened = true;
  if (to_send_ == 0) stream->shutdown(now);
  fill(now);
}

void SimUser::on_data(BufChain data, Instant now) {
  const std::string text = data.to_string();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != byte_at(got + i)) {
      fault = "wrong byte at " + std::to_string(got + i);
      break;
    }
  }
  got += text.size();
  if (got > to_get_) fault = "more than was sent";
  if (peer_closed || closed) fault = "data after the end";
  held_ += text.size();
  if (!slow_reader) poll(now);
}

void SimUser::poll(Instant now) {
  if (held_ > 0 && stream != nullptr) stream->consumed(std::exchange(held_, 0), now);
}

void SimUser::on_writable(Instant now) { fill(now); }
void SimUser::on_peer_closed(Instant) { peer_closed = true; }
void SimUser::on_closed(l4::CloseReason r, Instant) {
  closed = true;
  reason = r;
  stream = nullptr;
}

}  // namespace sluice::test
