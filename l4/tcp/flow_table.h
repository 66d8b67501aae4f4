// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dataplane/base/ip.h"

namespace sluice::l4::tcp {

/// Finds a worker's objects by their flow. Open addressing with linear probing; a deletion moves followers
/// back, so that there are no tombstones and a lookup's cost does not depend on history. The hash is kept
/// beside the pointer: most misses touch no object. Seeded against flows chosen to collide. Doubles at three
/// quarters full; never shrinks. `T` has `const FlowKey& key() const`. Does not own.
template <class T>
class FlowTable {
 public:
  explicit FlowTable(std::uint64_t seed, std::size_t capacity = 1024) : seed_(seed), slots_(capacity) {}

  std::size_t size() const { return size_; }

  std::uint64_t hash(const FlowKey& flow) const { return hash_value(flow, seed_); }
  /// For batches: brings in the slot, and later the item that is first there.
  void prefetch_slot(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }
  T* first_at(std::uint64_t hash) const { return slots_[hash & mask()].item; }

  T* find(const FlowKey& flow) const { return find(flow, hash(flow)); }
  T* find(const FlowKey& flow, std::uint64_t hash) const {
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Slot& s = slots_[i];
      if (s.item == nullptr) return nullptr;
      if (s.hash == hash && s.item->key() == flow) return s.item;
    }
  }

  /// The flow is not in the table.
  void insert(T& item) {
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    place({hash(item.key()), &item});
    ++size_;
  }

  /// The item is in the table.
  void erase(T& item) {
    std::size_t hole = hash(item.key()) & mask();
    while (slots_[hole].item != &item) hole = (hole + 1) & mask();
    for (std::size_t i = (hole + 1) & mask(); slots_[i].item != nullptr; i = (i + 1) & mask()) {
      // A follower may fill the hole unless it lies at or behind its own first choice.
      const std::size_t home = slots_[i].hash & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = {};
    --size_;
  }

  template <class F>
  void for_each(F&& f) const {
    for (const Slot& s : slots_) {
      if (s.item != nullptr) f(*s.item);
    }
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    T* item = nullptr;
  };
  std::size_t mask() const { return slots_.size() - 1; }
  void place(Slot s) {
    std::size_t i = s.hash & mask();
    while (slots_[i].item != nullptr) i = (i + 1) & mask();
    slots_[i] = s;
  }
  void grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.size() * 2));
    for (const Slot& s : old) {
      if (s.item != nullptr) place(s);
    }
  }

  const std::uint64_t seed_;
  std::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace sluice::l4::tcp
