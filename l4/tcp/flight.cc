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
  perhaps_post(*s);
  ++count_;
  return s;
}

void Flight::perhaps_post(SentSegment& s) {
  // Where the record lies and what was sent in it: nothing that a peer can choose to have no posts.
  const auto mixed = (reinterpret_cast<std::uintptr_t>(&s) >> 3 ^ s.begin.value()) * 0x9e3779b97f4a7c15u;
  s.post = mixed >> 58 == 0;
  if (!s.post) return;
  SentSegment* before = s.by_seq.next == nullptr ? posts_.last() : s.by_seq.prev;
  while (before != nullptr && !before->post) before = before->by_seq.prev;
  posts_.insert_after(before, s);
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
  if (s.post) posts_.remove(s);
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
  SentSegment* before = nullptr;  // the lost one in front: a search for each would be quadratic
  for (SentSegment* s = all_.first(); s != nullptr; s = s->by_seq.next) {
    if (s->state == State::kSacked && !sacked_too) continue;
    if (s->state != State::kLost) {
      unlink(*s);
      s->state = State::kLost;
      bytes(*s) += s->size();
      lost_.insert_after(before, *s);
    }
    before = s;
  }
}

void Flight::revive_lost() {
  // From the last on, each is looked for from where the one before went: they were sent in this order, too.
  SentSegment* after = in_flight_.last();
  while (SentSegment* s = lost_.last()) {
    unlink(*s);
    s->state = State::kInFlight;
    bytes(*s) += s->size();
    if (SentSegment* next = after != nullptr ? after->by_state.next : in_flight_.first();
        next != nullptr && next->sent_at < s->sent_at)
      after = in_flight_.last();
    while (after != nullptr && after->sent_at > s->sent_at) after = after->by_state.prev;
    in_flight_.insert_after(after, *s);
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
  SentSegment* s = hint_;  // blocks often follow one another
  if (s != nullptr && s->begin <= at && s->end <= at) s = s->by_seq.next;
  if (s == nullptr || s->begin > at || s->end <= at) {
    s = nullptr;  // the last post that begins at or before `at`
    for (SentSegment* post = posts_.first(); post != nullptr && post->begin <= at; post = post->by_post.next)
      s = post;
    if (s == nullptr) s = all_.first();
    while (s != nullptr && s->end <= at) s = s->by_seq.next;
  }
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
