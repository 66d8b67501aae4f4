// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/buf.h"

namespace sluice::l7::http1 {

/// Keeps the bytes of one message head alive while views into it are used. A head that lies in one segment
/// costs a reference to it; one that spans segments is joined in a block that the storage keeps for the next
/// message.
class HeadStorage {
 public:
  /// Takes the first `n` bytes of `in`. False: out of memory, `in` is unchanged.
  bool take(BufChain& in, std::size_t n, BufPool& pool);
  std::span<std::uint8_t> bytes() { return bytes_; }
  void clear();

 private:
  BufChain segment_;
  std::unique_ptr<std::uint8_t[]> joined_;
  std::size_t joined_capacity_ = 0;
  std::span<std::uint8_t> bytes_;
};

}  // namespace sluice::l7::http1
