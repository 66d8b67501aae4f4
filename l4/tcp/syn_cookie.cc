// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/syn_cookie.h"

#include <algorithm>
#include <array>

#include "l4/tcp/handshake.h"
#include "l4/tcp/transmit.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

// Cookie: 24 bits of hash, 5 of time, 3 of MSS.
constexpr unsigned kTimeShift = 3, kHashShift = 8;
constexpr std::uint32_t kTimeMask = 0x1f, kMssMask = 0x7;
constexpr std::array<std::uint16_t, 8> kMss{88, 536, 1220, 1300, 1380, 1440, 1460, 8960};
// Timestamp: 4 bits of window scale (15: none), one of SACK, one of ECN.
constexpr std::uint32_t kScaleMask = 0xf, kSackBit = 0x10, kEcnBit = 0x20, kOptionMask = 0x3f;

std::uint32_t time_step(Instant now) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / std::chrono::seconds(64));
}

SeqNum cookie(const Env& env, const FlowKey& flow, SeqNum irs, std::uint32_t step, std::uint32_t mss_index) {
  const std::uint64_t said = std::uint64_t{irs.value()} << 32 | step << kTimeShift | mss_index;
  return SeqNum(env.secrets.cookie(flow, said) << kHashShift | (step & kTimeMask) << kTimeShift | mss_index);
}

std::uint32_t mss_index(std::uint16_t mss) {
  std::uint32_t i = kMss.size() - 1;
  while (i > 0 && kMss[i] > mss) --i;
  return i;
}

Timestamps timestamps_of(const Env& env, const FlowKey& flow) {
  Timestamps t;
  t.offset = env.secrets.timestamp_offset(flow);
  return t;
}

/// The latest time, not after `clock`, whose low bits are `options`.
std::uint32_t stamp(std::uint32_t clock, std::uint32_t options) {
  const std::uint32_t t = (clock & ~kOptionMask) | options;
  return static_cast<std::int32_t>(clock - t) < 0 ? t - (kOptionMask + 1) : t;
}

}  // namespace

bool send_syn_cookie(Env& env, const FlowKey& flow, const Segment& syn, std::uint16_t mtu, Instant now) {
  const Options& offer = syn.header.options;
  const std::uint16_t unsaid = default_mss(flow.remote.address);
  Header h;
  h.seq = cookie(env, flow, syn.seq(), time_step(now), mss_index(offer.mss.value_or(unsaid)));
  h.ack = syn.seq() + 1;
  h.flags = kSyn | kAck;
  h.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(env.config.receive_buffer, 0xffff));
  h.options.mss = offered_mss(env.config, mtu, flow.remote.address);
  if (offer.timestamp) {
    const bool ecn = env.config.ecn && syn.header.has(kEce) && syn.header.has(kCwr);
    if (ecn) h.flags |= kEce;
    const std::uint32_t said =
        offer.window_scale.value_or(kScaleMask) | (offer.sack_permitted ? kSackBit : 0) | (ecn ? kEcnBit : 0);
    h.options.timestamp = Timestamp{stamp(timestamps_of(env, flow).clock(now), said), offer.timestamp->value};
    h.options.sack_permitted = offer.sack_permitted;
    if (offer.window_scale) h.options.window_scale = window_shift(env.config);
  }
  env.stats.syn_cookies_sent.add();
  return transmit_header(env, flow, h);
}

std::optional<Segment> check_syn_cookie(const Env& env, const FlowKey& flow, const Segment& ack,
                                        Instant now) {
  if (!ack.has_ack() || ack.syn() || ack.rst()) return std::nullopt;
  const SeqNum iss = ack.ack() - 1, irs = ack.seq() - 1;
  const std::uint32_t index = iss.value() & kMssMask;
  const std::uint32_t age = (time_step(now) - (iss.value() >> kTimeShift)) & kTimeMask;
  if (age > kCookieLife / std::chrono::seconds(64)) return std::nullopt;
  if (cookie(env, flow, irs, time_step(now) - age, index) != iss) return std::nullopt;

  Segment syn;
  syn.header.seq = irs;
  syn.header.flags = kSyn;
  syn.header.window = ack.header.window;
  Options& o = syn.header.options;
  o.mss = kMss[index];
  if (const auto& t = ack.header.options.timestamp) {
    o.timestamp = Timestamp{t->value, 0};
    const std::uint32_t said = t->echo;
    if ((said & kScaleMask) != kScaleMask) o.window_scale = static_cast<std::uint8_t>(said & kScaleMask);
    o.sack_permitted = (said & kSackBit) != 0;
    if ((said & kEcnBit) != 0) syn.header.flags |= kEce | kCwr;
  }
  return syn;
}

}  // namespace sluice::l4::tcp
