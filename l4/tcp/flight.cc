// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/flight.h"

#include <algorithm>
#include <utility>

namespace sluice::l4::tcp {

using State = SentSegment::State;

const Flight::Board Flight::kNone;

SentSegment* Flight::make(SeqNum begin, SeqNum end, SentSegment* after) {
  // The last quarter is for first records: a connection that has none could send nothing.
  const bool may = board_->count == 0 || (board_->count < kMaxSegments && pool_->live() < pool_->limit() / 4 * 3);
  SentSegment* s = may ? pool_->records_.create() : nullptr;
  if (s == nullptr) return nullptr;
  if (board_->count == 0) board_ = pool_->boards_.create();
  s->begin = begin;
  s->end = end;
  board_->all.insert_after(after, *s);
  perhaps_post(*s);
  ++board_->count;
  return s;
}

void Flight::perhaps_post(SentSegment& s) {
  // Where the record lies and what was sent in it: nothing that a peer can choose to have no posts.
  const auto mixed = (reinterpret_cast<std::uintptr_t>(&s) >> 3 ^ s.begin.value()) * 0x9e3779b97f4a7c15u;
  s.post = mixed >> 58 == 0;
  if (!s.post) return;
  SentSegment* before = s.by_seq.next == nullptr ? board_->posts.last() : s.by_seq.prev;
  while (before != nullptr && !before->post) before = before->by_seq.prev;
  board_->posts.insert_after(before, s);
}

void Flight::link(SentSegment& s, State state) {
  s.state = state;
  bytes(s) += s.size();
  if (state == State::kInFlight) {
    // By time of sending: nearly always the last. What is revived finds its place among the older.
    SentSegment* after = board_->in_flight.last();
    while (after != nullptr && after->sent_at > s.sent_at) after = after->by_state.prev;
    board_->in_flight.insert_after(after, s);
  } else if (state == State::kLost) {
    SentSegment* after = board_->lost.last();
    if (after != nullptr && s.begin < board_->lost.first()->begin) after = nullptr;
    while (after != nullptr && after->begin > s.begin) after = after->by_state.prev;
    board_->lost.insert_after(after, s);
  } else {
    ++board_->sacked_ranges;
  }
}

void Flight::unlink(SentSegment& s) {
  bytes(s) -= s.size();
  if (s.state == State::kInFlight) board_->in_flight.remove(s);
  if (s.state == State::kLost) board_->lost.remove(s);
  if (s.state == State::kSacked) --board_->sacked_ranges;
}

void Flight::erase(SentSegment& s) {
  unlink(s);
  if (board_->hint == &s) board_->hint = s.by_seq.prev != nullptr ? s.by_seq.prev : s.by_seq.next;
  board_->all.remove(s);
  if (s.post) board_->posts.remove(s);
  pool_->records_.destroy(&s);
  if (--board_->count == 0) pool_->boards_.destroy(std::exchange(board_, none()));
}

void Flight::clear() {
  while (!empty()) erase(*board_->all.first());
}

void Flight::trim(SeqNum una) {
  SentSegment* s = board_->all.first();
  if (s == nullptr || s->begin >= una) return;
  bytes(*s) -= distance(s->begin, una);
  s->begin = una;
}

bool Flight::sent(SeqNum begin, SeqNum end, Instant now) {
  if (SentSegment* s = make(begin, end, board_->all.last())) {
    s->sent_at = now;
    link(*s, State::kInFlight);
    return true;
  }
  SentSegment* s = board_->all.last();
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
  for (SentSegment* s = board_->all.first(); s != nullptr; s = s->by_seq.next) {
    if (s->state == State::kSacked && !sacked_too) continue;
    if (s->state != State::kLost) {
      unlink(*s);
      s->state = State::kLost;
      bytes(*s) += s->size();
      board_->lost.insert_after(before, *s);
    }
    before = s;
  }
}

void Flight::revive_lost() {
  // From the last on, each is looked for from where the one before went: they were sent in this order, too.
  SentSegment* after = board_->in_flight.last();
  while (SentSegment* s = board_->lost.last()) {
    unlink(*s);
    s->state = State::kInFlight;
    bytes(*s) += s->size();
    if (SentSegment* next = after != nullptr ? after->by_state.next : board_->in_flight.first();
        next != nullptr && next->sent_at < s->sent_at)
      after = board_->in_flight.last();
    while (after != nullptr && after->sent_at > s->sent_at) after = after->by_state.prev;
    board_->in_flight.insert_after(after, *s);
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
  SentSegment* s = board_->hint;  // blocks often follow one another
  if (s != nullptr && s->begin <= at && s->end <= at) s = s->by_seq.next;
  if (s == nullptr || s->begin > at || s->end <= at) {
    s = nullptr;  // the last post that begins at or before `at`
    for (SentSegment* post = board_->posts.first(); post != nullptr && post->begin <= at; post = post->by_post.next)
      s = post;
    if (s == nullptr) s = board_->all.first();
    while (s != nullptr && s->end <= at) s = s->by_seq.next;
  }
  if (s != nullptr) board_->hint = s;
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
  if (s.state == State::kInFlight) board_->in_flight.insert_after(&s, *rest);
  if (s.state == State::kLost) board_->lost.insert_after(&s, *rest);
  if (s.state == State::kSacked) ++board_->sacked_ranges;
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
    if (board_->hint == right) board_->hint = left;
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
