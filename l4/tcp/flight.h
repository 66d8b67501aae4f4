// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"
#include "dataplane/base/object_pool.h"
#include "l4/tcp/linked_list.h"
#include "l4/tcp/wire.h"

namespace sluice::l4::tcp {

/// Sequence space [begin, end) that was sent in one segment and is not acknowledged; FIN counts.
struct SentSegment {
  enum class State : std::uint8_t { kInFlight, kLost, kSacked };

  SeqNum begin, end;
  Instant sent_at{};  ///< The last time.
  State state = State::kInFlight;
  bool again = false;  ///< Was sent more than once.
  bool post = false;   ///< One of those that find() walks along first.
  Links<SentSegment> by_seq, by_state, by_post;

  std::uint32_t size() const { return static_cast<std::uint32_t>(end - begin); }
};

/// The scoreboard of RFC 6675 and RFC 8985: what lies between snd_una and snd_nxt, by segments. Each is in
/// flight (linked in the order of sending), believed lost (by sequence number) or SACKed (neighbours joined).
/// By sequence number they are a skip list of two levels: every 64th, by chance, is a post, so that a SACK
/// block is found in some 64 steps among 4,096, wherever a peer places it. An idle connection has nothing of this. When
/// there is no place for another record, segments share one: losses are then found more coarsely, and SACK
/// blocks that would split a record are not recorded.
class Flight {
 public:
  class Pool;
  static constexpr std::uint16_t kMaxSegments = 4096;
  /// SACKed ranges up to which blocks may cut records; more would be for nobody but who wants to waste them.
  static constexpr std::uint16_t kMaxCutRanges = 256;

  explicit Flight(Pool& pool) : pool_(&pool) {}
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight() { clear(); }

  bool empty() const { return first() == nullptr; }
  /// The pipe of RFC 6675: neither SACKed nor lost, or sent again since.
  std::uint32_t in_flight() const { return board_->bytes[0]; }
  std::uint32_t lost() const { return board_->bytes[1]; }
  std::uint32_t sacked() const { return board_->bytes[2]; }
  std::uint16_t sacked_ranges() const { return board_->sacked_ranges; }
  std::uint16_t segments() const { return board_->count; }

  SentSegment* first() const { return board_->all.first(); }
  SentSegment* last() const { return board_->all.last(); }
  SentSegment* first_lost() const { return board_->lost.first(); }
  /// Of those in flight, in the order of sending; `next_sent` follows.
  SentSegment* first_sent() const { return board_->in_flight.first(); }
  static SentSegment* next_sent(const SentSegment& s) { return s.by_state.next; }

  /// [begin, end) follows what is there and was sent now. False: no memory for a first record.
  bool sent(SeqNum begin, SeqNum end, Instant now);
  /// Whether sent() will find a place.
  bool has_place() const;
  /// A segment (lost or in flight) was sent again.
  void sent_again(SentSegment& s, Instant now);
  void mark_lost(SentSegment& s);
  /// All that is not SACKed. `sacked_too`: the receiver took its reports back (RFC 2018, 8).
  void mark_all_lost(bool sacked_too);
  /// What was believed lost, and not sent again since, is in flight after all.
  void revive_lost();
  /// Cuts or extends a lost segment so that it has `size` bytes, as far as what follows it is lost as well.
  void resize_lost(SentSegment& s, std::uint32_t size);

  /// snd_una has moved. `delivered(segment)` for each whole segment that was not SACKed before. Returns the
  /// bytes of these.
  template <class F>
  std::uint32_t acknowledge(SeqNum una, F&& delivered) {
    const std::uint32_t known = sacked(), before = in_flight() + lost() + known;
    while (SentSegment* s = first()) {
      if (s->end > una) break;
      if (s->state != SentSegment::State::kSacked) delivered(*s);
      erase(*s);
    }
    trim(una);
    return before - (in_flight() + lost() + sacked()) - (known - sacked());
  }
  /// A SACK block within (snd_una, snd_nxt]. `delivered(segment)` for each that is news. Returns the bytes of
  /// these.
  template <class F>
  std::uint32_t sack(SackBlock block, F&& delivered) {
    const std::uint32_t before = sacked();
    for (SentSegment* s = find(block.begin); s != nullptr && s->begin < block.end; s = s->by_seq.next) {
      if (s->state == SentSegment::State::kSacked) continue;
      if ((s->begin < block.begin || s->end > block.end) && sacked_ranges() >= kMaxCutRanges) break;
      if (s->begin < block.begin && (s = split(*s, block.begin)) == nullptr) break;
      if (s->end > block.end && split(*s, block.end) == nullptr) break;
      delivered(*s);
      s = mark_sacked(*s);
    }
    return sacked() - before;
  }
  void clear();

 private:
  SentSegment* make(SeqNum begin, SeqNum end, SentSegment* after);
  void perhaps_post(SentSegment& s);
  void link(SentSegment& s, SentSegment::State state);
  void unlink(SentSegment& s);
  void erase(SentSegment& s);
  void trim(SeqNum una);
  /// The first segment that ends after `at`.
  SentSegment* find(SeqNum at);
  /// Returns the part from `at` on; null: no place.
  SentSegment* split(SentSegment& s, SeqNum at);
  /// Returns the range that it has become part of.
  SentSegment* mark_sacked(SentSegment& s);
  std::uint32_t& bytes(const SentSegment& s) { return board_->bytes[static_cast<std::size_t>(s.state)]; }

  struct Board {
    LinkedList<SentSegment, &SentSegment::by_seq> all;
    LinkedList<SentSegment, &SentSegment::by_post> posts;
    LinkedList<SentSegment, &SentSegment::by_state> in_flight, lost;
    SentSegment* hint = nullptr;   ///< Where the last SACK block was found.
    std::uint32_t bytes[3] = {};  ///< By state.
    std::uint16_t count = 0, sacked_ranges = 0;
  };
  static const Board kNone;  ///< Stands for that of all who have none, to be read.
  static Board* none() { return const_cast<Board*>(&kNone); }

  Pool* pool_;
  Board* board_ = none();
};

/// For the connections of one worker: `limit` records, and what holds those of one connection together. Of these there
/// are no more than connections, and none without a record.
class Flight::Pool {
 public:
  explicit Pool(std::size_t limit) : records_(limit), boards_(limit) {}
  std::size_t live() const { return records_.live(); }
  std::size_t limit() const { return records_.limit(); }
  std::size_t bytes() const { return records_.live() * sizeof(SentSegment) + boards_.live() * sizeof(Board); }

 private:
  friend class Flight;
  ObjectPool<SentSegment> records_;
  ObjectPool<Board> boards_;
};

inline bool Flight::has_place() const { return !empty() || pool_->live() < pool_->limit(); }

}  // namespace sluice::l4::tcp
