// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/receive.h"

#include <algorithm>
#include <utility>

#include "l4/tcp/ack_policy.h"
#include "l4/tcp/acknowledge.h"
#include "l4/tcp/close.h"
#include "l4/tcp/handshake.h"
#include "l4/tcp/reset.h"
#include "l4/tcp/state.h"
#include "l4/tcp/transmit.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

enum class Step : std::uint8_t { kContinue, kDone };

// RFC 7323, 5.5: TS.Recent is not compared after 24 days, when the sign of the difference may be wrong.
constexpr Duration kTimestampLife = std::chrono::hours(24 * 24);
constexpr std::uint16_t kReassemblyBlocks = 64;

Step discard(Connection& c, DropReason why) {
  c.env.drops.add(why);
  return Step::kDone;
}

/// RFC 7323, 5.3 R1 (PAWS), and 3.2: with timestamps agreed upon, what comes without is not from this peer.
Step check_timestamp(Connection& c, const Segment& s, Instant now) {
  if (!c.timestamps.on || s.rst()) return Step::kContinue;
  const auto& t = s.header.options.timestamp;
  if (!t) return discard(c, DropReason::kTcpBadSegment);
  Timestamps& mine = c.timestamps;
  const bool older = static_cast<std::int32_t>(t->value - mine.recent) < 0;
  if (older && now - mine.recent_at < kTimestampLife) {
    acknowledge_unacceptable(c, s, now);
    return discard(c, DropReason::kTcpOutOfWindow);
  }
  return Step::kContinue;
}

/// RFC 7323, 5.3 R3, for a segment that is within the window.
void update_timestamp(Connection& c, const Segment& s, Instant now) {
  if (!c.timestamps.on || s.rst() || s.seq() > c.last_ack_sent) return;
  c.timestamps.recent = s.header.options.timestamp->value;
  c.timestamps.recent_at = now;
}

/// The peer's own SYN once more in SYN-RECEIVED: our answer was lost; or, with ACK, the peer is in
/// SYN-RECEIVED as well (simultaneous open) and only its ACK is news.
Step check_repeated_syn(Connection& c, Segment& s) {
  if (c.state != State::kSynReceived || !s.syn() || s.rst() || s.seq() != c.irs) return Step::kContinue;
  if (!s.has_ack()) {
    ecn_take_syn(c, s);  // a client that asks no more must not get marked packets (RFC 3168, 6.1.1)
    c.syn_due = true;
    return Step::kDone;
  }
  s.header.flags &= static_cast<std::uint8_t>(~kSyn);
  s.header.seq += 1;
  return Step::kContinue;
}

Step unacceptable(Connection& c, const Segment& s, Instant now) {
  if (!s.rst()) acknowledge_unacceptable(c, s, now);
  return discard(c, DropReason::kTcpOutOfWindow);
}

/// RFC 2883: the next ACK tells what came twice, from the beginning of the segment on.
void note_duplicate(Connection& c, const Segment& s, SeqNum known_to) {
  const SeqNum end = min(known_to, s.seq() + static_cast<std::uint32_t>(s.payload.size()));
  if (s.seq() >= end) return;
  begin_quick_acks(c);
  if (c.sack) c.ack_debt.duplicate = SackBlock{s.seq(), end};
}

/// First step: sequence number. Cuts what lies outside of the window.
Step check_sequence(Connection& c, Segment& s, Instant now) {
  const std::uint32_t window = receive_window(c);
  const SeqNum right = c.rcv_nxt + window;
  if (s.seq() < c.rcv_nxt) {
    note_duplicate(c, s, c.rcv_nxt);
    const std::uint32_t old = distance(s.seq(), c.rcv_nxt);
    if (s.syn() || old >= s.length()) return unacceptable(c, s, now);
    s.payload.drop_front(old);
    s.header.seq += old;
  } else if (s.seq() > right || (s.seq() == right && window > 0)) {
    return unacceptable(c, s, now);
  }
  const std::uint32_t room = distance(s.seq(), right);
  if (s.payload.size() > room) {
    // With a closed window ACK and RST are still taken (RFC 9293, 3.10.7.4), text is not.
    s.payload = room == 0 ? BufChain() : s.payload.take_front(room, c.env.buffers);
    s.header.flags &= static_cast<std::uint8_t>(~kFin);
    if (s.payload.empty()) c.env.drops.add(DropReason::kTcpOutOfWindow);
    owe_at_once(c);
  }
  return Step::kContinue;
}

/// Second step: RST. RFC 5961, 3.2: only the very next sequence number is believed.
Step check_reset(Connection& c, const Segment& s, Instant now) {
  if (!s.rst()) return Step::kContinue;
  if (s.seq() != c.rcv_nxt) {
    challenge_ack(c, now);
    return discard(c, DropReason::kTcpOutOfWindow);
  }
  c.env.stats.resets_in.add();
  finish(c, c.state == State::kSynReceived ? CloseReason::kRefused : CloseReason::kPeerReset, now);
  return Step::kDone;
}

/// Fourth step: SYN. RFC 5961, 4.2.
Step check_syn(Connection& c, const Segment& s, Instant now) {
  if (!s.syn()) return Step::kContinue;
  if (c.state == State::kSynReceived && c.passive) {
    finish(c, CloseReason::kPeerReset, now);  // back to LISTEN
    return Step::kDone;
  }
  challenge_ack(c, now);
  return discard(c, DropReason::kTcpOutOfWindow);
}

/// Fifth step: ACK.
Step check_acknowledgement(Connection& c, const Segment& s, Instant now) {
  if (!s.has_ack()) return discard(c, DropReason::kTcpBadSegment);
  if (c.state == State::kSynReceived) {
    if (s.ack() <= c.snd_una || s.ack() > c.snd_nxt) {
      answer_with_reset(c.env, c.flow, s);
      return discard(c, DropReason::kTcpOutOfWindow);
    }
    establish(c, s, c.snd_wscale, now);
    return Step::kContinue;
  }
  // RFC 5961, 5.2: data with an acknowledgement from nowhere is injected.
  if (s.ack() > c.snd_nxt || s.ack() < c.snd_una - c.max_snd_wnd) {
    challenge_ack(c, now);
    return discard(c, DropReason::kTcpOutOfWindow);
  }
  process_acknowledgement(c, s, now);
  return c.state == State::kClosed || c.state == State::kTimeWait ? Step::kDone : Step::kContinue;
}

void deliver(Connection& c, BufChain data) {
  c.rcv_nxt += static_cast<std::uint32_t>(data.size());
  charge_delivered(c, data);
  append_coalesced(c.pending.data, std::move(data), c.env.buffers);
}

/// What a gap may hold back: twice the window in true memory; little where that is scarce.
std::uint32_t reassembly_buffers(Connection& c, Instant now) {
  constexpr std::uint32_t kScarce = 8;
  if (c.env.scarce_buffers(now)) return kScarce;
  return 2 * (c.env.plenty_of_buffers(now) ? c.rcv_buffer : c.env.config.receive_buffer) / 2048;
}

/// Text from `at` on, above a gap.
void put_aside(Connection& c, SeqNum at, BufChain text, Instant now) {
  const ReassemblyLimits limits{kReassemblyBlocks, reassembly_buffers(c, now)};
  if (!c.reassembly.insert(at, std::move(text), limits, c.env.buffers)) {
    c.env.drops.add(DropReason::kTcpReassemblyFull);
  }
}

/// In-order text that reaches into what waits above the gap must not change that: it was acknowledged by
/// SACK. False: no memory, nothing can be taken.
bool keep_what_came_first(Connection& c, Segment& s, Instant now) {
  const std::uint32_t room = distance(s.seq(), c.reassembly.begin());
  if (s.payload.size() <= room) return true;
  BufChain fits = s.payload.take_front(room, c.env.buffers);
  if (fits.empty()) return false;
  put_aside(c, s.seq() + room, std::exchange(s.payload, std::move(fits)), now);
  return true;
}

/// Seventh step: segment text.
void take_text(Connection& c, Segment& s, Instant now) {
  if (s.payload.empty() || !c.may_receive_data()) return;
  if (overcharged(c)) {
    c.env.drops.add(DropReason::kNoMemory);
    return owe_at_once(c);
  }
  if (c.state == State::kFinWait2) c.deadlines.linger = now + c.env.config.fin_wait_2;
  if (s.seq() != c.rcv_nxt) {
    c.env.stats.out_of_order.add();
    note_duplicate(c, s, c.reassembly.known_to(s.seq()));
    put_aside(c, s.seq(), std::move(s.payload), now);
    // RFC 5681, 4.2: one ACK for each segment above a gap, or the peer cannot count duplicates.
    transmit_ack(c, now);
    return;
  }
  const bool gap = !c.reassembly.empty();
  if (gap && !keep_what_came_first(c, s, now)) return owe_at_once(c);
  const std::size_t bytes = s.payload.size();
  deliver(c, std::move(s.payload));
  grow_receive_buffer(c, now);
  if (gap) {
    if (BufChain more = c.reassembly.take(c.rcv_nxt); !more.empty()) deliver(c, std::move(more));
  }
  owe_for_data(c, bytes, gap, now);
}

/// Eighth step: FIN, in order or remembered until it is.
void take_fin(Connection& c, const Segment& s, SeqNum text_end, Instant now) {
  if (!c.may_receive_data()) return;
  if (s.fin()) {
    c.has_peer_fin = true;
    c.peer_fin = text_end;
  }
  if (c.has_peer_fin && c.peer_fin == c.rcv_nxt) {
    on_peer_fin(c, now);
  } else if (s.fin() && s.seq() == text_end) {
    owe_at_once(c);  // bare, with a gap before it
  }
}

void text_and_fin(Connection& c, Segment& s, Instant now) {
  const SeqNum text_end = s.seq() + static_cast<std::uint32_t>(s.payload.size());
  // Sixth step, URG: urgent data is delivered in line, as everybody does (RFC 6093).
  take_text(c, s, now);
  take_fin(c, s, text_end, now);
}

/// 3.10.7.3.
void arrives_in_syn_sent(Connection& c, Segment& s, Instant now) {
  if (s.has_ack() && (s.ack() <= c.iss || s.ack() > c.snd_nxt)) {  // first: ACK
    answer_with_reset(c.env, c.flow, s);
    discard(c, DropReason::kTcpOutOfWindow);
    return;
  }
  if (s.rst()) {  // second: RST
    if (!s.has_ack()) return void(discard(c, DropReason::kTcpOutOfWindow));
    c.env.stats.resets_in.add();
    return finish(c, CloseReason::kRefused, now);
  }
  if (!s.syn()) return void(discard(c, DropReason::kTcpBadSegment));  // fifth
  meet_syn(c, s, now);                                                // fourth: SYN
  s.header.flags &= static_cast<std::uint8_t>(~kSyn);
  s.header.seq += 1;
  if (c.synchronized()) text_and_fin(c, s, now);
}

/// The range of RFC 5961, 5.2, before TS.Recent is taken: a blind segment with a timestamp far ahead must not
/// make PAWS refuse the genuine ones from then on.
bool acknowledges_what_we_sent(const Connection& c, const Segment& s) {
  const SeqNum least = c.state == State::kSynReceived ? c.snd_una + 1 : c.snd_una - c.max_snd_wnd;
  return s.has_ack() && s.ack() >= least && s.ack() <= c.snd_nxt;
}

}  // namespace

void segment_arrives(Connection& c, Segment& s, Instant now) {
  if (c.state == State::kSynSent) return arrives_in_syn_sent(c, s, now);
  if (check_timestamp(c, s, now) == Step::kDone) return;
  if (check_repeated_syn(c, s) == Step::kDone) return;
  if (check_sequence(c, s, now) == Step::kDone) return;
  if (check_reset(c, s, now) == Step::kDone) return;
  // Third step, security and compartment: not part of this stack.
  if (check_syn(c, s, now) == Step::kDone) return;
  if (acknowledges_what_we_sent(c, s)) update_timestamp(c, s, now);
  if (check_acknowledgement(c, s, now) == Step::kDone) return;
  c.heard_at = now;
  c.keepalive_probes = 0;
  ecn_segment_arrives(c, s);
  text_and_fin(c, s, now);
}

}  // namespace sluice::l4::tcp
