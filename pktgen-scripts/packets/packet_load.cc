// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/packet_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "pktgen-scripts/packets/size_mix.h"

namespace sluice::pktgen::packets {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kBuffers = 8191;  // of each size: two rings and what is on its way
enum Setup : std::size_t { kSyn, kAckOfSyn, kReset };
constexpr std::uint64_t kInHandshake = 256;  // below every backlog
constexpr Duration kHandshakePatience = 1s, kQuiet = 100ms, kLongest = 500ms;

/// What an appliance may send when it does right. A handshake that a flood before us left half open is gone
/// about in every kind of load: SYN-ACKs again, challenge ACKs, a reset in the end.
bool expected(Kind kind, Seen seen, bool connecting) {
  switch (seen) {
    case Seen::kArpRequest:  // for somebody else
    case Seen::kArpReply:
    case Seen::kOther:
    case Seen::kReturned:
    case Seen::kSynAck:
      return true;
    case Seen::kAck:
      return !connecting;
    case Seen::kReset:
    case Seen::kIcmp:
      return kind != Kind::kEstablished;
    default:
      return false;
  }
}

const char* in_words(Seen seen) {
  switch (seen) {
    case Seen::kAck:
      return "an ACK of no connection";
    case Seen::kReset:
      return "a reset of a connection";
    case Seen::kFinish:
      return "the end of a connection";
    case Seen::kIcmp:
      return "an ICMP error";
    case Seen::kBadFrame:
      return "a frame that is cut off";
    case Seen::kBadChecksum:
      return "a wrong checksum";
    case Seen::kBadAddress:
      return "a packet from or to an address that is none of ours";
    case Seen::kBadTag:
      return "a packet that is not as it was sent";
    default:
      return "a frame that was not expected";
  }
}

}  // namespace

PacketLoad::PacketLoad(const PacketShape& shape, const Flows& flows, const Ends& ends, WireEnd& clients,
                       WireEnd* backends)
    : shape_(shape),
      flows_(flows),
      ends_(ends),
      clients_(clients),
      backends_(backends),
      round_(size_round(shape.sizes)) {}

Status PacketLoad::prepare() {
  const auto add = [&](std::vector<FramePool>& to, const std::string& name, FrameTemplate frame) -> Status {
    auto pool = FramePool::make("pktgen_" + name, std::move(frame), kBuffers);
    if (!pool) return pool.error();
    to.push_back(std::move(*pool));
    return Ok{};
  };
  for (const FrameSize& size : shape_.sizes) {
    FrameTemplate frame = shape_.kind == Kind::kUdp   ? FrameTemplate::udp(ends_, size.bytes)
                          : shape_.kind == Kind::kSyn ? FrameTemplate::tcp(ends_, size.bytes, kSynFlag, true)
                                                      : FrameTemplate::tcp(ends_, size.bytes, kAckFlag);
    if (Status s = add(pools_, std::to_string(pools_.size()), std::move(frame)); !s) return s;
  }
  if (shape_.kind != Kind::kEstablished) return Ok{};
  const std::size_t least = shape_.sizes[0].bytes;
  if (Status s = add(setup_, "syn", FrameTemplate::tcp(ends_, least, kSynFlag, true)); !s) return s;
  if (Status s = add(setup_, "ack", FrameTemplate::tcp(ends_, least, kAckFlag)); !s) return s;
  return add(setup_, "rst", FrameTemplate::tcp(ends_, least, kRst));
}

// ---- Receiving ----

void PacketLoad::receive(Tally& tally) {
  const auto each = [&](std::span<const std::uint8_t> frame) { look(frame, tally); };
  clients_.receive(each);
  if (backends_ != nullptr) backends_->receive(each);
}

void PacketLoad::look(std::span<const std::uint8_t> frame, Tally& tally) {
  // A kernel that shares the port talks from its address; no flow of ours does, where they have a net of
  // their own.
  const bool others = shape_.client_addresses > 1 && concerns(frame, ends_.own);
  const Look l = others ? Look{} : look_at(frame, ends_.target, flows_, number_);
  ++tally.seen[static_cast<std::size_t>(l.seen)];
  ++tally.frames;
  tally.bytes += frame.size();
  if (!expected(shape_.kind, l.seen, connecting_)) return fault(l.seen, l, tally);
  if (!connecting_ || l.seen != Seen::kSynAck) return;
  Connection& c = connections_[l.flow];
  if (l.ack != first_seq(l.flow) + 1) return fault(Seen::kBadTag, l, tally);
  if (!c.open) ++opened_;
  c = {l.seq + 1, true};
  send_segment(setup_[kAckOfSyn], l.flow, l.ack, c.ack);
}

void PacketLoad::fault(Seen seen, const Look& l, Tally& tally) const {
  if (!tally.fault.empty()) return;
  tally.fault = fmt::format("{} (flow {}, after {} packets)", in_words(seen), l.flow, number_);
}

// ---- Sending ----

rte_mbuf* PacketLoad::next_frame() {
  const FramePool& pool = pools_[round_[in_round_]];
  rte_mbuf* m = pool.take();
  if (m == nullptr) return nullptr;
  if (++in_round_ == round_.size()) in_round_ = 0;
  auto* f = rte_pktmbuf_mtod(m, std::uint8_t*);
  const Source from = flows_.source(flow_);
  const auto low = static_cast<std::uint32_t>(number_);
  switch (shape_.kind) {
    case Kind::kUdp:
      pool.frame().patch_udp(f, from, number_);
      break;
    case Kind::kSyn:
    case Kind::kSegment:
      pool.frame().patch_tcp(f, from, low, ~low);
      break;
    case Kind::kEstablished:
      pool.frame().patch_tcp(f, from, first_seq(flow_) + 1, connections_[flow_].ack);
      break;
  }
  ++number_;
  flow_ = flows_.after(flow_);
  return m;
}

void PacketLoad::fill(std::uint64_t n) {
  for (n = std::min<std::uint64_t>(n, clients_.room()); n > 0; --n) {
    rte_mbuf* m = next_frame();
    if (m == nullptr) return;
    clients_.send(m);
  }
}

LoadResult PacketLoad::run(double rate, Duration length) {
  LoadResult out;
  const Instant begin = clock_.now(), end = begin + length;
  Instant now = begin;
  std::uint64_t made = 0;
  for (; now < end; now = clock_.now()) {
    receive(out.tally);
    std::uint64_t want = shape_.burst;
    if (rate > 0) {
      const auto due = static_cast<std::uint64_t>(static_cast<double>((now - begin).count()) * rate / 1e9);
      want = std::min<std::uint64_t>(want, due - std::min(due, made));
    }
    if (!clients_.clogged()) {
      const std::uint64_t before = number_;
      fill(want);
      made += number_ - before;
    }
    out.sent += clients_.flush();
  }
  out.seconds = std::chrono::duration<double>(now - begin).count();
  out.due = static_cast<std::uint64_t>(rate * out.seconds);
  clients_.drop_waiting();
  linger(out.tally, kQuiet);
  return out;
}

/// What is still on its way belongs to the load that caused it.
void PacketLoad::linger(Tally& tally, Duration quiet) {
  const Instant latest = clock_.now() + kLongest;
  std::uint64_t seen = tally.frames;
  for (Instant since = clock_.now(), now = since; now - since < quiet && now < latest; now = clock_.now()) {
    receive(tally);
    if (tally.frames != seen) since = now;
    seen = tally.frames;
  }
}

// ---- Connections ----

bool PacketLoad::send_segment(const FramePool& pool, std::uint64_t flow, std::uint32_t seq,
                              std::uint32_t ack) {
  if (clients_.room() == 0) clients_.flush();
  rte_mbuf* m = clients_.room() > 0 ? pool.take() : nullptr;
  if (m == nullptr) return false;
  pool.frame().patch_tcp(rte_pktmbuf_mtod(m, std::uint8_t*), flows_.source(flow), seq, ack);
  clients_.send(m);
  return true;
}

/// A SYN for each that is not open, a few at a time; ends when all are or nothing happens any more.
void PacketLoad::connect_round() {
  Tally tally;
  std::uint64_t next = 0;
  std::uint64_t asked = opened_, last = opened_;
  for (Instant since = clock_.now(); opened_ < flows_.count() && clock_.now() - since < kHandshakePatience;) {
    while (next < flows_.count() && asked - opened_ < kInHandshake && clients_.room() > WireEnd::kBurst / 2) {
      if (!connections_[next].open && !send_segment(setup_[kSyn], next, first_seq(next), 0)) break;
      if (!connections_[next].open) ++asked;
      ++next;
    }
    clients_.flush();
    receive(tally);
    if (opened_ != last) since = clock_.now();
    last = opened_;
  }
  clients_.flush();
}

Status PacketLoad::connect() {
  if (shape_.kind != Kind::kEstablished) return Ok{};
  constexpr int kRounds = 4;
  connections_.assign(flows_.count(), {});
  connecting_ = true;
  for (int round = 0; round < kRounds && opened_ < flows_.count(); ++round) connect_round();
  Tally last;
  for (const Instant end = clock_.now() + kQuiet; clock_.now() < end; receive(last)) clients_.flush();
  connecting_ = false;
  if (opened_ == flows_.count()) return Ok{};
  return Error{fmt::format("{} of {} connections did not open", flows_.count() - opened_, flows_.count())};
}

void PacketLoad::disconnect() {
  Tally ignored;
  const Instant latest = clock_.now() + 2s;
  for (std::uint64_t flow = 0; flow < connections_.size() && clock_.now() < latest;) {
    if (!connections_[flow].open || send_segment(setup_[kReset], flow, first_seq(flow) + 1, 0)) ++flow;
    if (clients_.room() == 0 || flow == connections_.size()) clients_.flush();
    receive(ignored);
  }
  while (clients_.clogged() && clock_.now() < latest) clients_.flush();
  clients_.drop_waiting();
  linger(ignored, kQuiet);  // with our port go those that the other end has not taken out of the shared ring
}

std::optional<MacAddr> resolve(WireEnd& end, rte_mempool* buffers, std::uint32_t own, std::uint32_t wanted,
                               Duration patience) {
  const TscClock clock;
  const auto request = arp_request(end.mac(), own, wanted);
  std::optional<MacAddr> found;
  const Instant begin = clock.now();
  for (Instant next = begin; !found && clock.now() - begin < patience;) {
    if (clock.now() >= next) {
      next += 100ms;
      if (rte_mbuf* m = rte_pktmbuf_alloc(buffers); m != nullptr) {
        std::memcpy(rte_pktmbuf_append(m, static_cast<std::uint16_t>(request.size())), request.data(),
                    request.size());
        end.send(m);
      }
    }
    end.flush();
    end.receive([&](std::span<const std::uint8_t> frame) {
      MacAddr mac;
      if (is_arp_reply_of(frame, wanted, mac)) found = mac;
    });
  }
  end.drop_waiting();
  return found;
}

}  // namespace sluice::pktgen::packets
