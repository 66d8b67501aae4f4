// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "dataplane/base/ip.h"

namespace sluice::l4::tcp {

/// Finds a worker's objects by their flow. Open addressing with linear probing; a deletion moves followers
/// back, so that there are no tombstones and a lookup's cost does not depend on history. The hash is kept
/// beside the pointer: most misses touch no object. Seeded against flows chosen to collide. Doubles at three
/// quarters full, and then moves a few items with each insertion and removal, so that none of them takes
/// long; until all have moved, lookups go on in the old array. Never shrinks. `T` has `const FlowKey& key()
/// const`. Does not own.
template <class T>
class FlowTable {
 public:
  explicit FlowTable(std::uint64_t seed, std::size_t capacity = 1024) : seed_(seed), slots_(capacity) {}

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return (slots_.size() + old_.size()) * sizeof(Slot); }
  /// Items have yet to move.
  bool growing() const { return old_.size() > 0; }

  std::uint64_t hash(const FlowKey& flow) const { return hash_value(flow, seed_); }
  /// For batches: brings in the slot, and later the item that is first there.
  void prefetch_slot(std::uint64_t hash) const { __builtin_prefetch(&slots_.home(hash)); }
  T* first_at(std::uint64_t hash) const { return slots_.home(hash).item; }

  T* find(const FlowKey& flow) const { return find(flow, hash(flow)); }
  T* find(const FlowKey& flow, std::uint64_t hash) const {
    T* item = slots_.find(flow, hash);
    return item == nullptr && growing() ? old_.find(flow, hash) : item;
  }

  /// The flow is not in the table.
  void insert(T& item) {
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    slots_.place({hash(item.key()), &item});
    ++size_;
    move_some();
  }

  /// The item is in the table.
  void erase(T& item) {
    const std::uint64_t h = hash(item.key());
    if (!slots_.erase(item, h)) old_.erase(item, h);
    --size_;
    move_some();
  }

  template <class F>
  void for_each(F&& f) const {
    for (const Slots* half : {&slots_, &old_}) {
      for (std::size_t i = 0; i < half->size(); ++i) {
        if (T* item = half->at(i).item) f(*item);
      }
    }
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    T* item = nullptr;
  };

  /// One array, a power of two long or empty. Zeroed memory from calloc(): pages of a large one are made as
  /// they are touched, not all at once.
  class Slots {
   public:
    Slots() = default;
    explicit Slots(std::size_t n)
        : slots_(static_cast<Slot*>(std::calloc(n, sizeof(Slot)))), mask_(n - 1), size_(n) {
      if (slots_ == nullptr) throw std::bad_alloc();
    }
    std::size_t size() const { return size_; }
    const Slot& at(std::size_t i) const { return slots_.get()[i]; }
    const Slot& home(std::uint64_t hash) const { return at(hash & mask_); }

    T* find(const FlowKey& flow, std::uint64_t hash) const {
      for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
        const Slot& s = at(i);
        if (s.item == nullptr) return nullptr;
        if (s.hash == hash && s.item->key() == flow) return s.item;
      }
    }
    void place(Slot s) {
      std::size_t i = s.hash & mask_;
      while (at(i).item != nullptr) i = (i + 1) & mask_;
      slots_.get()[i] = s;
    }
    /// False: it is not here.
    bool erase(const T& item, std::uint64_t hash) {
      if (size_ == 0) return false;
      std::size_t i = hash & mask_;
      for (; at(i).item != &item; i = (i + 1) & mask_) {
        if (at(i).item == nullptr) return false;
      }
      empty(i);
      return true;
    }
    Slot take(std::size_t i) {
      const Slot s = at(i);
      if (s.item != nullptr) empty(i);
      return s;
    }

   private:
    struct Free {
      void operator()(Slot* s) const { std::free(s); }
    };
    void empty(std::size_t hole) {
      Slot* slots = slots_.get();
      for (std::size_t i = (hole + 1) & mask_; slots[i].item != nullptr; i = (i + 1) & mask_) {
        // A follower may fill the hole unless it lies at or behind its own first choice.
        const std::size_t home = slots[i].hash & mask_;
        if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
        slots[hole] = slots[i];
        hole = i;
      }
      slots[hole] = {};
    }

    std::unique_ptr<Slot, Free> slots_;
    std::size_t mask_ = 0, size_ = 0;
  };

  /// Looks at, or moves, so many slots a time: the old array is empty long before the new one is full.
  static constexpr unsigned kSteps = 16;

  void grow() {
    while (growing()) move_some();
    old_ = std::exchange(slots_, Slots(slots_.size() * 2));
    moved_ = 0;
  }
  void move_some() {
    for (unsigned n = 0; n < kSteps && growing(); ++n) {
      // What follows moves up into a slot that becomes empty: it is looked at again.
      if (const Slot s = old_.take(moved_); s.item != nullptr) {
        slots_.place(s);
      } else if (++moved_ == old_.size()) {
        old_ = {};
      }
    }
  }

  const std::uint64_t seed_;
  Slots slots_, old_;
  std::size_t moved_ = 0;  ///< Slots of `old_` up to here are empty.
  std::size_t size_ = 0;
};

}  // namespace sluice::l4::tcp
