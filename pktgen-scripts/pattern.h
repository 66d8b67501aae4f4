// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::pktgen {

/// A body whose every byte follows from its offset and the body's size, so that shifted, repeated and foreign
/// bytes show. Held whole, so that checking is a comparison of memory.
class Pattern {
 public:
  explicit Pattern(std::size_t size);

  std::size_t size() const { return bytes_.size(); }
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  /// Whether `got` is what lies at `offset`; the range may reach behind the end, which is wrong.
  bool matches(std::size_t offset, std::span<const std::uint8_t> got) const;
  /// In words, what is wrong with `got`; nothing when it matches.
  std::optional<std::string> difference(std::size_t offset, std::span<const std::uint8_t> got) const;

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace sluice::pktgen
