// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/send_queue.h"

namespace sluice::l4::tcp {

BufChain SendQueue::send_next(std::size_t n, BufPool& pool) {
  BufChain wire = unsent_.share(0, n, pool);
  if (wire.empty()) return wire;
  BufChain kept = unsent_.take_front(n, pool);
  if (kept.empty()) return kept;
  sent_.append(std::move(kept));
  return wire;
}

void SendQueue::clear() {
  sent_.clear();
  unsent_.clear();
}

}  // namespace sluice::l4::tcp
