// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/time_wait.h"

#include "l4/tcp/reset.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

void acknowledge(Env& env, const TimeWaitEntry& e, Instant now) {
  Header h;
  h.seq = e.snd_nxt;
  h.ack = e.rcv_nxt;
  h.flags = kAck;
  if (e.timestamps.on) h.options.timestamp = Timestamp{e.timestamps.clock(now), e.timestamps.recent};
  transmit_header(env, e.flow, h);
}

/// RFC 6191, 2: a SYN that is certainly newer than the last connection.
bool newer_syn(const TimeWaitEntry& e, const Segment& s) {
  if (!s.syn() || s.has_ack() || s.rst() || s.fin()) return false;
  const auto& t = s.header.options.timestamp;
  if (e.timestamps.on && t && t->value != e.timestamps.recent) {
    return static_cast<std::int32_t>(t->value - e.timestamps.recent) > 0;
  }
  return s.seq() > e.rcv_nxt;
}

}  // namespace

TimeWaitTable::TimeWaitTable(Env& env)
    : env_(env), pool_(env.config.max_time_wait), table_(env.secrets.table_seed()) {}

TimeWaitTable::~TimeWaitTable() {
  while (by_age_.first() != nullptr) remove(*by_age_.first());
}

void TimeWaitTable::add(const Connection& c, Instant now) {
  if (pool_.live() == pool_.limit() && by_age_.first() != nullptr) remove(*by_age_.first());
  TimeWaitEntry* e = pool_.create();
  if (e == nullptr) return;
  e->flow = c.flow;
  e->snd_nxt = c.snd_nxt;
  e->rcv_nxt = c.rcv_nxt;
  e->timestamps = c.timestamps;
  e->entered_at = now;
  table_.insert(*e);
  by_age_.push_back(*e);
  env_.stats.time_wait.add();
}

void TimeWaitTable::remove(TimeWaitEntry& e) {
  table_.erase(e);
  by_age_.remove(e);
  pool_.destroy(&e);
  env_.stats.time_wait.sub();
}

bool TimeWaitTable::segment_arrives(TimeWaitEntry& e, const Segment& s, Instant now) {
  if (s.rst()) {  // RFC 1337: a RST must not cut TIME-WAIT short
    env_.drops.add(DropReason::kTcpOutOfWindow);
    return false;
  }
  if (newer_syn(e, s)) return true;
  const bool fin_again = s.fin() && s.seq() + s.length() == e.rcv_nxt;
  if (fin_again) {  // RFC 9293, 3.10.7.4, eighth step: start 2 MSL anew
    by_age_.remove(e);
    e.entered_at = now;
    by_age_.push_back(e);
  }
  if (s.length() == 0 && s.seq() == e.rcv_nxt && !s.syn()) return false;  // nothing to say
  if (now < e.next_ack && !fin_again) return false;
  e.next_ack = now + kChallengeInterval;
  acknowledge(env_, e, now);
  return false;
}

SeqNum TimeWaitTable::next_iss(const TimeWaitEntry& e, SeqNum wanted) {
  const SeqNum least = e.snd_nxt + 0x10000;
  return wanted > least ? wanted : least;
}

bool TimeWaitTable::reusable(const TimeWaitEntry& e, Instant now) {
  return e.timestamps.on && now - e.entered_at >= std::chrono::seconds(1);
}

Instant TimeWaitTable::next_deadline() const {
  const TimeWaitEntry* oldest = by_age_.first();
  return oldest == nullptr ? kNever : oldest->entered_at + env_.config.time_wait;
}

void TimeWaitTable::expire(Instant now) {
  while (next_deadline() <= now) remove(*by_age_.first());
}

}  // namespace sluice::l4::tcp
