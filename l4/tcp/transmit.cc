// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/transmit.h"

#include "l4/tcp/coalesce.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

constexpr std::uint8_t kProtocol = 6;
constexpr std::size_t kOptionSpace = kMaxHeader - kMinHeader;

std::size_t sack_room(const Connection& c) {
  const std::size_t left = kOptionSpace - (c.timestamps.on ? kTimestampBytes : 0);
  return (left - 4) / 8;
}

void paid(Connection& c) {
  c.ack_debt = {};
  c.deadlines.ack = kNever;
  c.last_ack_sent = c.rcv_nxt;
}

}  // namespace

std::size_t option_bytes(const Connection& c) {
  std::size_t n = c.timestamps.on ? kTimestampBytes : 0;
  const std::size_t blocks = c.reassembly.blocks() + (c.ack_debt.duplicate ? 1 : 0);
  if (c.sack && blocks > 0) n += 4 + 8 * std::min(blocks, sack_room(c));
  return n;
}

std::uint32_t full_segment(const Connection& c) {
  return c.snd_mss - (c.timestamps.on ? static_cast<std::uint32_t>(kTimestampBytes) : 0);
}

bool transmit_header(Env& env, const FlowKey& flow, Header h, BufChain payload, std::uint8_t ecn,
                     std::uint16_t cut) {
  Buf b = env.buffers.alloc();
  if (!b) {
    env.drops.add(DropReason::kNoMemory);
    return false;
  }
  h.source_port = flow.local.port;
  h.destination_port = flow.remote.port;
  const std::size_t n = header_size(h.options);
  write_header({b.append(n), n}, h);
  net::OutPacket p;
  const std::size_t segments = cut == 0 ? 1 : (payload.size() + cut - 1) / cut;
  if (cut == 0 && payload.size() <= kCopyBelow) {
    payload.copy_out(0, {b.append(payload.size()), payload.size()});
    payload.clear();
  }
  flatten(payload, segments * kMaxWireBuffers, env.buffers);
  p.chain.push_back(std::move(b));
  p.chain.append(std::move(payload));
  p.source = flow.local.address;
  p.destination = flow.remote.address;
  p.protocol = kProtocol;
  p.tos = ecn;
  p.segment_size = cut;
  env.stats.segments_out.add(segments);
  env.out.put(std::move(p));
  return true;
}

bool transmit(Connection& c, SeqNum seq, std::uint8_t flags, BufChain payload, Instant now,
              std::uint8_t ecn, std::uint16_t cut) {
  Header h;
  h.seq = seq;
  h.ack = c.rcv_nxt;
  h.flags = flags;
  if (c.ecn.echo) h.flags |= kEce;
  h.window = advertise_window(c);
  if (c.timestamps.on) h.options.timestamp = Timestamp{c.timestamps.clock(now), c.timestamps.recent};
  if (c.ack_debt.duplicate) h.options.add_sack(*c.ack_debt.duplicate);  // RFC 2883, 4: first
  if (c.sack && !c.reassembly.empty()) c.reassembly.report(h.options, sack_room(c));
  if (!transmit_header(c.env, c.flow, h, std::move(payload), ecn, cut)) return false;
  paid(c);
  return true;
}

bool transmit_ack(Connection& c, Instant now) { return transmit(c, bare_seq(c), kAck, {}, now); }

bool transmit_syn(Connection& c, Instant now) {
  const bool answer = c.state == State::kSynReceived;
  Header h;
  h.seq = c.iss;
  h.flags = kSyn | ecn_syn_flags(c);
  // RFC 7323, 2.2: the window of a SYN is never scaled.
  h.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(c.env.config.receive_buffer, 0xffff));
  h.options.mss = c.rcv_mss;
  // An answer repeats only what the peer offered; before that, these say what we want.
  h.options.sack_permitted = c.sack;
  if (c.window_scaling) h.options.window_scale = window_shift(c.env.config);
  if (c.timestamps.on)
    h.options.timestamp = Timestamp{c.timestamps.clock(now), answer ? c.timestamps.recent : 0};
  if (answer) {
    h.flags |= kAck;
    h.ack = c.rcv_nxt;
  }
  if (!transmit_header(c.env, c.flow, h)) return false;
  if (answer) {
    c.rcv_adv = max(c.rcv_adv, c.rcv_nxt + h.window);
    paid(c);
  }
  return true;
}

}  // namespace sluice::l4::tcp
