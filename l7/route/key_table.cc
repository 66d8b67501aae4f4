// SPDX-License-Identifier: Apache-2.0
#include "l7/route/key_table.h"

namespace sluice::l7::route {

std::uint32_t KeyTable::insert(std::uint32_t scope, std::string_view text, std::uint32_t value) {
  const std::uint32_t found = find(scope, text);
  if (found != kNone) return found;
  if ((keys_.size() + 1) * 2 > slots_.size()) grow();
  const std::uint64_t h = hash(scope, text);
  std::size_t i = h & mask();
  while (slots_[i].key != 0) i = (i + 1) & mask();
  keys_.push_back({text, scope, value});
  slots_[i] = {tag(h), static_cast<std::uint32_t>(keys_.size())};
  return value;
}

void KeyTable::grow() {
  slots_.assign(slots_.size() * 2, Slot{});
  for (std::size_t k = 0; k < keys_.size(); ++k) {
    const std::uint64_t h = hash(keys_[k].scope, keys_[k].text);
    std::size_t i = h & mask();
    while (slots_[i].key != 0) i = (i + 1) & mask();
    slots_[i] = {tag(h), static_cast<std::uint32_t>(k + 1)};
  }
}

}  // namespace sluice::l7::route
