// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/window.h"

#include <algorithm>

namespace sluice::l4::tcp {
namespace {

/// The largest window that can be offered: the buffer, or what the field can express.
std::uint32_t most(const Connection& c) { return std::min(c.rcv_buffer, 0xffffu << c.rcv_wscale); }

/// What could be advertised now.
std::uint32_t free_window(const Connection& c) { return c.charge >= most(c) ? 0 : most(c) - c.charge; }

}  // namespace

std::uint8_t window_shift(const Config& config) {
  std::uint8_t shift = 0;
  while (shift < 14 && (std::max(config.receive_buffer, config.max_receive_buffer) >> shift) > 0xffff)
    ++shift;
  return shift;
}

std::uint16_t advertise_window(Connection& c) {
  const std::uint32_t unit = 1u << c.rcv_wscale;
  // Rounded down where it grows, up where it only repeats the promise: the right edge must not move left
  // (3.8.6).
  const std::uint32_t promised = (receive_window(c) + unit - 1) >> c.rcv_wscale;
  std::uint32_t room = free_window(c);
  // RFC 9293, 3.8.6.2.2: a step smaller than this would be a silly window.
  const std::uint32_t step = std::min<std::uint32_t>(most(c) / 2, c.rcv_mss);
  if (room < receive_window(c) + step) room = 0;
  const std::uint32_t field = std::min(0xffffu, std::max(promised, room >> c.rcv_wscale));
  c.rcv_adv = max(c.rcv_adv, c.rcv_nxt + (field << c.rcv_wscale));
  return static_cast<std::uint16_t>(field);
}

void charge_delivered(Connection& c, const BufChain& data) {
  c.unconsumed += static_cast<std::uint32_t>(data.size());
  c.charge += std::max(static_cast<std::uint32_t>(data.size()),
                       static_cast<std::uint32_t>(data.segments()) * kLeastCharge);
}

void credit_consumed(Connection& c, std::size_t n) {
  const auto bytes = static_cast<std::uint32_t>(std::min<std::size_t>(n, c.unconsumed));
  if (bytes == 0) return;
  // Which buffers were let go is not known: in proportion.
  c.charge -= static_cast<std::uint32_t>(static_cast<std::uint64_t>(c.charge) * bytes / c.unconsumed);
  c.unconsumed -= bytes;
  if (!c.may_receive_data()) return;
  // ACKs of data tell a flowing peer of the window. One that may be held up by it is told at once, in steps
  // that are worth a segment.
  const std::uint32_t window = receive_window(c), two = 2u * c.rcv_mss;
  const bool short_of = window < std::max(most(c) / 8, two);
  if (short_of && free_window(c) >= window + std::min(most(c) / 2, two)) c.ack_debt.now = true;
}

bool overcharged(const Connection& c) { return c.charge > 2ull * c.rcv_buffer; }

void shrink_receive_buffer(Connection& c) { c.rcv_buffer = c.env.config.receive_buffer; }

void shrink_send_buffer(Connection& c) {
  if (c.snd_buffer == c.env.config.send_buffer) return;
  c.snd_buffer = c.env.config.send_buffer;
  if (c.queue.size() >= c.snd_buffer) c.send_blocked = true;
}

void grow_receive_buffer(Connection& c, Instant now) {
  constexpr Duration kPause = std::chrono::seconds(10);
  if (now - c.rcv_round_at > kPause && c.rcv_round_at != Instant{}) {
    shrink_receive_buffer(c);
    c.rcv_round = c.rcv_nxt;
    c.rcv_round_at = now;
  }
  if (!c.rtt.has_sample() || now - c.rcv_round_at < c.rtt.srtt()) return;
  const std::uint32_t bytes = distance(c.rcv_round, c.rcv_nxt);
  const bool full = bytes >= most(c) / 2 && c.unconsumed <= bytes;
  const std::uint32_t bound = c.env.config.max_receive_buffer;
  if (full && c.rcv_round_at != Instant{} && c.rcv_buffer < bound && c.env.plenty_of_buffers(now)) {
    c.rcv_buffer = std::min(2 * c.rcv_buffer, bound);
  }
  c.rcv_round = c.rcv_nxt;
  c.rcv_round_at = now;
}

void update_send_window(Connection& c, const Segment& s) {
  const bool newer = c.snd_wl1 < s.seq() || (c.snd_wl1 == s.seq() && c.snd_wl2 <= s.ack());
  if (!newer) return;
  const bool was_probing = c.deadlines.persist;
  c.snd_wnd = static_cast<std::uint32_t>(s.header.window) << c.snd_wscale;
  c.max_snd_wnd = std::max(c.max_snd_wnd, c.snd_wnd);
  c.snd_wl1 = s.seq();
  c.snd_wl2 = s.ack();
  if (was_probing && c.snd_wnd > 0) {
    // The probe's byte may have been dropped: it counts as lost and goes first.
    c.deadlines.persist = false;
    c.deadlines.retransmit = kNever;
    c.rtt.reset_back_off();
  }
}

}  // namespace sluice::l4::tcp
