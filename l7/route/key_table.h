// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace sluice::l7::route {

/// A hash table from (scope, text) to a number: open addressing, one for all hosts of a router, so that a
/// hundred thousand small hosts cost no more than one large one. Filled once, then only read. The texts
/// belong to the caller and must outlive the table. The seed is random a router: requests cannot aim at one
/// bucket.
class KeyTable {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  explicit KeyTable(std::uint64_t seed) : seed_(seed), slots_(16) {}

  /// The value of the key; `value` when the key is new.
  std::uint32_t insert(std::uint32_t scope, std::string_view text, std::uint32_t value);

  std::uint32_t find(std::uint32_t scope, std::string_view text) const {
    const std::uint64_t h = hash(scope, text);
    for (std::size_t i = h & mask();; i = (i + 1) & mask()) {
      const Slot& slot = slots_[i];
      if (slot.key == 0) return kNone;
      if (slot.tag != tag(h)) continue;
      const Key& key = keys_[slot.key - 1];
      if (key.scope == scope && key.text == text) return key.value;
    }
  }
  bool empty() const { return keys_.empty(); }

 private:
  struct Key {
    std::string_view text;
    std::uint32_t scope;
    std::uint32_t value;
  };
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t key = 0;  ///< Index into keys_ plus one; 0: free.
  };

  std::size_t mask() const { return slots_.size() - 1; }
  static std::uint32_t tag(std::uint64_t h) { return static_cast<std::uint32_t>(h >> 32); }
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  std::uint64_t hash(std::uint32_t scope, std::string_view text) const {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15ull, kOther = 0xd6e8feb86659fd93ull;
    std::uint64_t h = mix(seed_ ^ scope, kOdd) ^ text.size();
    const char* p = text.data();
    std::size_t n = text.size();
    std::uint64_t word = 0;
    for (; n >= 8; p += 8, n -= 8) {
      std::memcpy(&word, p, 8);
      h = mix(h ^ word, seed_ | 1) + kOther;
    }
    word = 0;
    if (n != 0) std::memcpy(&word, p, n);
    return mix(h ^ word, kOther);
  }
  void grow();

  std::uint64_t seed_;
  std::vector<Slot> slots_;  ///< A power of two, at most half full.
  std::vector<Key> keys_;
};

}  // namespace sluice::l7::route
