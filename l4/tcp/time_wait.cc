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
  while (oldest_ != nullptr) remove(*oldest_);
}

void TimeWaitTable::add(const Connection& c, Instant now) {
  if (pool_.live() == pool_.limit() && oldest_ != nullptr) remove(*oldest_);
  TimeWaitEntry* e = pool_.create();
  if (e == nullptr) return;
  e->flow = c.flow;
  e->snd_nxt = c.snd_nxt;
  e->rcv_nxt = c.rcv_nxt;
  e->timestamps = c.timestamps;
  e->entered_at = now;
  table_.insert(*e);
  link_newest(*e);
  env_.stats.time_wait.add();
}

void TimeWaitTable::remove(TimeWaitEntry& e) {
  table_.erase(e);
  unlink(e);
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
    unlink(e);
    e.entered_at = now;
    link_newest(e);
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
  return oldest_ == nullptr ? kNever : oldest_->entered_at + env_.config.time_wait;
}

void TimeWaitTable::expire(Instant now) {
  while (next_deadline() <= now) remove(*oldest_);
}

void TimeWaitTable::link_newest(TimeWaitEntry& e) {
  e.older = newest_;
  e.newer = nullptr;
  (newest_ == nullptr ? oldest_ : newest_->newer) = &e;
  newest_ = &e;
}

void TimeWaitTable::unlink(TimeWaitEntry& e) {
  (e.older == nullptr ? oldest_ : e.older->newer) = e.newer;
  (e.newer == nullptr ? newest_ : e.newer->older) = e.older;
}

}  // namespace sluice::l4::tcp
