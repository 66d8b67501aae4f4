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
/// block is found in some 64 steps among 4,096, wherever a peer places it. An idle connection has none. When
/// there is no place for another record, segments share one: losses are then found more coarsely, and SACK
/// blocks that would split a record are not recorded.
class Flight {
 public:
  using Pool = ObjectPool<SentSegment>;
  static constexpr std::uint16_t kMaxSegments = 4096;
  /// SACKed ranges up to which blocks may cut records; more would be for nobody but who wants to waste them.
  static constexpr std::uint16_t kMaxCutRanges = 256;

  explicit Flight(Pool& pool) : pool_(&pool) {}
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight() { clear(); }

  bool empty() const { return all_.first() == nullptr; }
  /// The pipe of RFC 6675: neither SACKed nor lost, or sent again since.
  std::uint32_t in_flight() const { return bytes_[0]; }
  std::uint32_t lost() const { return bytes_[1]; }
  std::uint32_t sacked() const { return bytes_[2]; }
  std::uint16_t sacked_ranges() const { return sacked_ranges_; }
  std::uint16_t segments() const { return count_; }

  SentSegment* first() const { return all_.first(); }
  SentSegment* last() const { return all_.last(); }
  SentSegment* first_lost() const { return lost_.first(); }
  /// Of those in flight, in the order of sending; `next_sent` follows.
  SentSegment* first_sent() const { return in_flight_.first(); }
  static SentSegment* next_sent(const SentSegment& s) { return s.by_state.next; }

  /// [begin, end) follows what is there and was sent now. False: no memory for a first record.
  bool sent(SeqNum begin, SeqNum end, Instant now);
  /// Whether sent() will find a place.
  bool has_place() const { return count_ > 0 || pool_->live() < pool_->limit(); }
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
    while (SentSegment* s = all_.first()) {
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
      if ((s->begin < block.begin || s->end > block.end) && sacked_ranges_ >= kMaxCutRanges) break;
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
  std::uint32_t& bytes(const SentSegment& s) { return bytes_[static_cast<std::size_t>(s.state)]; }

  Pool* pool_;
  LinkedList<SentSegment, &SentSegment::by_seq> all_;
  LinkedList<SentSegment, &SentSegment::by_post> posts_;
  LinkedList<SentSegment, &SentSegment::by_state> in_flight_, lost_;
  SentSegment* hint_ = nullptr;  ///< Where the last SACK block was found.
  std::uint32_t bytes_[3] = {};  ///< By state.
  std::uint16_t count_ = 0, sacked_ranges_ = 0;
};

}  // namespace sluice::l4::tcp
