// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/flight.h"

#include <algorithm>

namespace sluice::l4::tcp {

using State = SentSegment::State;

SentSegment* Flight::make(SeqNum begin, SeqNum end, SentSegment* after) {
  // The last quarter is for first records: a connection that has none could send nothing.
  const bool may = count_ == 0 || (count_ < kMaxSegments && pool_->live() < pool_->limit() / 4 * 3);
  SentSegment* s = may ? pool_->create() : nullptr;
  if (s == nullptr) return nullptr;
  s->begin = begin;
  s->end = end;
  all_.insert_after(after, *s);
  ++count_;
  return s;
}

void Flight::link(SentSegment& s, State state) {
  s.state = state;
  bytes(s) += s.size();
  if (state == State::kInFlight) {
    // By time of sending: nearly always the last. What is revived finds its place among the older.
    SentSegment* after = in_flight_.last();
    while (after != nullptr && after->sent_at > s.sent_at) after = after->by_state.prev;
    in_flight_.insert_after(after, s);
  } else if (state == State::kLost) {
    SentSegment* after = lost_.last();
    if (after != nullptr && s.begin < lost_.first()->begin) after = nullptr;
    while (after != nullptr && after->begin > s.begin) after = after->by_state.prev;
    lost_.insert_after(after, s);
  } else {
    ++sacked_ranges_;
  }
}

void Flight::unlink(SentSegment& s) {
  bytes(s) -= s.size();
  if (s.state == State::kInFlight) in_flight_.remove(s);
  if (s.state == State::kLost) lost_.remove(s);
  if (s.state == State::kSacked) --sacked_ranges_;
}

void Flight::erase(SentSegment& s) {
  unlink(s);
  if (hint_ == &s) hint_ = s.by_seq.prev != nullptr ? s.by_seq.prev : s.by_seq.next;
  all_.remove(s);
  --count_;
  pool_->destroy(&s);
}

void Flight::clear() {
  while (!empty()) erase(*all_.first());
}

void Flight::trim(SeqNum una) {
  SentSegment* s = all_.first();
  if (s == nullptr || s->begin >= una) return;
  bytes(*s) -= distance(s->begin, una);
  s->begin = una;
}

bool Flight::sent(SeqNum begin, SeqNum end, Instant now) {
  if (SentSegment* s = make(begin, end, all_.last())) {
    s->sent_at = now;
    link(*s, State::kInFlight);
    return true;
  }
  SentSegment* s = all_.last();
  if (s == nullptr) return false;
  // No place: the last record stands for this one too.
  unlink(*s);
  s->end = end;
  s->sent_at = now;
  link(*s, State::kInFlight);
  return true;
}

void Flight::sent_again(SentSegment& s, Instant now) {
  unlink(s);
  s.sent_at = now;
  s.again = true;
  link(s, State::kInFlight);
}

void Flight::mark_lost(SentSegment& s) {
  if (s.state != State::kInFlight) return;
  unlink(s);
  link(s, State::kLost);
}

void Flight::mark_all_lost(bool sacked_too) {
  for (SentSegment* s = all_.first(); s != nullptr; s = s->by_seq.next) {
    if (s->state == State::kLost || (s->state == State::kSacked && !sacked_too)) continue;
    unlink(*s);
    link(*s, State::kLost);
  }
}

void Flight::revive_lost() {
  while (SentSegment* s = lost_.first()) {
    unlink(*s);
    link(*s, State::kInFlight);
  }
}

void Flight::resize_lost(SentSegment& s, std::uint32_t size) {
  while (s.size() < size && s.by_seq.next != nullptr && s.by_seq.next->state == State::kLost) {
    SentSegment& next = *s.by_seq.next;
    const SeqNum end = next.end;
    s.again |= next.again;
    erase(next);
    bytes(s) += distance(s.end, end);
    s.end = end;
  }
  if (s.size() > size) split(s, s.begin + size);
}

SentSegment* Flight::find(SeqNum at) {
  SentSegment* s = hint_ != nullptr ? hint_ : all_.first();
  while (s != nullptr && s->begin > at) s = s->by_seq.prev;
  if (s == nullptr) s = all_.first();
  while (s != nullptr && s->end <= at) s = s->by_seq.next;
  if (s != nullptr) hint_ = s;
  return s;
}

SentSegment* Flight::split(SentSegment& s, SeqNum at) {
  SentSegment* rest = make(at, s.end, &s);
  if (rest == nullptr) return nullptr;
  bytes(s) -= rest->size();
  s.end = at;
  rest->sent_at = s.sent_at;
  rest->again = s.again;
  rest->state = s.state;
  bytes(*rest) += rest->size();
  if (s.state == State::kInFlight) in_flight_.insert_after(&s, *rest);
  if (s.state == State::kLost) lost_.insert_after(&s, *rest);
  if (s.state == State::kSacked) ++sacked_ranges_;
  return rest;
}

SentSegment* Flight::mark_sacked(SentSegment& s) {
  unlink(s);
  link(s, State::kSacked);
  SentSegment* range = &s;
  const auto join = [&](SentSegment* left, SentSegment* right) {
    if (left == nullptr || right == nullptr) return;
    if (left->state != State::kSacked || right->state != State::kSacked) return;
    const SeqNum end = right->end;
    if (hint_ == right) hint_ = left;
    erase(*right);
    bytes(*left) += distance(left->end, end);
    left->end = end;
    range = left;
  };
  join(range, range->by_seq.next);
  join(range->by_seq.prev, range);
  return range;
}

}  // namespace sluice::l4::tcp
