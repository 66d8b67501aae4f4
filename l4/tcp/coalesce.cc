// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/coalesce.h"

#include <array>

namespace sluice::l4::tcp {

void append_coalesced(BufChain& to, BufChain&& data, BufPool& buffers) {
  if (!to.empty() && data.size() <= kCopyBelow) {
    std::array<std::uint8_t, kCopyBelow> copy;
    const std::span<std::uint8_t> bytes(copy.data(), data.size());
    data.copy_out(0, bytes);
    if (to.append_copy(bytes, buffers)) {
      data.clear();
      return;
    }
  }
  to.append(std::move(data));
}

void flatten(BufChain& chain, std::size_t most, BufPool& buffers) {
  if (chain.segments() <= most) return;
  BufChain flat;
  for (const auto* m = chain.front(); m != nullptr; m = BufChain::next(m)) {
    if (!flat.append_copy(BufChain::view(m), buffers)) return;
  }
  chain = std::move(flat);
}

}  // namespace sluice::l4::tcp
