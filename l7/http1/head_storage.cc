// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/head_storage.h"

#include <bit>

namespace sluice::l7::http1 {

bool HeadStorage::take(BufChain& in, std::size_t n, BufPool& pool) {
  clear();
  if (n == 0) return true;
  if (BufChain::view(in.front()).size() >= n) {
    segment_ = in.take_front(n, pool);
    if (segment_.empty()) return false;
    // The bytes are read-only when the segment is shared; nobody writes through this view.
    const auto seen = BufChain::view(segment_.front());
    bytes_ = {const_cast<std::uint8_t*>(seen.data()), n};
    return true;
  }
  if (joined_capacity_ < n) {
    joined_capacity_ = std::bit_ceil(n);
    joined_ = std::make_unique_for_overwrite<std::uint8_t[]>(joined_capacity_);
  }
  bytes_ = {joined_.get(), n};
  in.copy_out(0, bytes_);
  in.drop_front(n);
  return true;
}

void HeadStorage::clear() {
  segment_.clear();
  bytes_ = {};
}

}  // namespace sluice::l7::http1
