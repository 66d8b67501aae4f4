// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/handshake.h"

#include <algorithm>

#include "l4/tcp/ack_policy.h"
#include "l4/tcp/recovery.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/state.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

constexpr std::uint16_t kDefaultMss4 = 536, kDefaultMss6 = 1220;
// Less is not a path but an attack (CVE-2019-11479), and would leave no room beside the options.
constexpr std::uint16_t kLeastMss = 88;

void prepare(Connection& c, SeqNum iss, std::uint16_t mtu, Instant now) {
  c.iss = c.snd_una = c.snd_nxt = c.rtt_mark = iss;
  c.rcv_mss = offered_mss(c.env.config, mtu, c.flow.remote.address);
  c.snd_mss = c.rcv_mss;
  c.timestamps.offset = c.env.secrets.timestamp_offset(c.flow);
  c.progress_at = c.heard_at = c.last_sent_at = now;
  c.syn_due = true;
}

/// The peer's SYN: its sequence space and what it offers.
void take_syn(Connection& c, const Segment& s, Instant now) {
  const Options& o = s.header.options;
  c.irs = s.seq();
  c.rcv_nxt = c.rcv_adv = c.last_ack_sent = s.seq() + 1;
  const std::uint16_t unsaid = default_mss(c.flow.remote.address);
  c.snd_mss = std::min(c.snd_mss, std::max(o.mss.value_or(unsaid), kLeastMss));
  c.window_scaling = c.window_scaling && o.window_scale.has_value();
  if (c.window_scaling) {
    c.snd_wscale = *o.window_scale;
    c.rcv_wscale = window_shift(c.env.config);
  }
  c.sack = c.sack && o.sack_permitted;
  ecn_take_syn(c, s);
  c.timestamps.on = c.timestamps.on && o.timestamp.has_value();
  if (c.timestamps.on) {
    c.timestamps.recent = o.timestamp->value;
    c.timestamps.recent_at = now;
  }
}

/// Karn's rule for SYNs: timed when sent once, or by the timestamp that comes back.
void take_handshake_rtt(Connection& c, const Segment& s, Instant now) {
  const auto& t = s.header.options.timestamp;
  const std::uint32_t ms = t ? c.timestamps.clock(now) - t->echo : 0;
  if (c.rtt.backoff() == 0 && !c.from_cookie) {
    c.rtt.sample(now - c.last_sent_at);
  } else if (c.timestamps.on && t && t->echo != 0 && ms < 60'000) {
    c.rtt.sample(std::chrono::milliseconds(std::max(ms, 1u)));  // a cookie's is at most 64 ms early
  } else if (!c.from_cookie) {
    c.rtt.assume_three_seconds();
  }
}

}  // namespace

std::uint16_t default_mss(const IpAddr& peer) { return peer.is_v4() ? kDefaultMss4 : kDefaultMss6; }

std::uint16_t mss_of(std::uint16_t mtu, const IpAddr& peer) {
  const std::uint16_t headers = (peer.is_v4() ? 20 : 40) + 20;
  return std::max<std::uint16_t>(mtu, headers + kLeastMss) - headers;
}

std::uint16_t offered_mss(const Config& config, std::uint16_t mtu, const IpAddr& peer) {
  return std::min(mss_of(mtu, peer), std::max(config.max_mss, kLeastMss));
}

void open_active(Connection& c, SeqNum iss, std::uint16_t mtu, Instant now) {
  prepare(c, iss, mtu, now);
  enter(c, State::kSynSent, now);
}

void open_passive(Connection& c, SeqNum iss, const Segment& syn, std::uint16_t mtu, Instant now) {
  prepare(c, iss, mtu, now);
  take_syn(c, syn, now);
  enter(c, State::kSynReceived, now);
}

void open_from_cookie(Connection& c, SeqNum iss, const Segment& syn, std::uint16_t mtu, Instant now) {
  open_passive(c, iss, syn, mtu, now);
  c.from_cookie = true;
  c.syn_due = false;
  c.snd_nxt = iss + 1;
  c.rcv_adv = c.rcv_nxt + std::min<std::uint32_t>(c.env.config.receive_buffer, 0xffff);
}

void meet_syn(Connection& c, const Segment& s, Instant now) {
  take_syn(c, s, now);
  if (s.has_ack()) {
    c.rcv_adv = c.rcv_nxt + std::min<std::uint32_t>(c.env.config.receive_buffer, 0xffff);  // as our SYN said
    establish(c, s, 0, now);
    owe_at_once(c);
    return;
  }
  enter(c, State::kSynReceived, now);
  c.syn_due = true;
}

void establish(Connection& c, const Segment& s, std::uint8_t shift, Instant now) {
  start_congestion(c);
  take_handshake_rtt(c, s, now);
  c.snd_una = s.ack();
  c.snd_nxt = max(c.snd_nxt, c.snd_una);
  c.snd_wnd = static_cast<std::uint32_t>(s.header.window) << shift;
  c.max_snd_wnd = c.snd_wnd;
  c.snd_wl1 = s.seq();
  c.snd_wl2 = s.ack();
  c.syn_due = false;
  c.deadlines.retransmit = kNever;
  enter(c, State::kEstablished, now);
}

}  // namespace sluice::l4::tcp
