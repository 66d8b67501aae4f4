// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "dataplane/base/buf.h"
#include "l4/tcp/coalesce.h"

namespace sluice::l4::tcp {

/// Bytes that the user has sent and the peer has not acknowledged, in two chains that meet where the highest
/// byte sent so far lies: what goes out first time is then always at the front of the second, and needs no
/// search. The wire gets references; the queue keeps its own until acknowledged.
class SendQueue {
 public:
  std::size_t size() const { return sent_.size() + unsent_.size(); }
  std::size_t sent() const { return sent_.size(); }
  std::size_t unsent() const { return unsent_.size(); }

  /// Small pieces are copied behind what waits already, so that a segment on the wire has few buffers.
  void push(BufChain data, BufPool& pool) { append_coalesced(unsent_, std::move(data), pool); }
  /// References to the next `n` unsent bytes, which count as sent from now. Empty: no memory, nothing
  /// changed.
  BufChain send_next(std::size_t n, BufPool& pool);
  /// References to sent bytes [offset, offset + n). Empty: no memory.
  BufChain share_sent(std::size_t offset, std::size_t n, BufPool& pool) const {
    return sent_.share(offset, n, pool);
  }
  /// Lets go of the first `n` <= sent() bytes.
  void acknowledge(std::size_t n) { sent_.drop_front(n); }
  void clear();

 private:
  BufChain sent_, unsent_;
};

}  // namespace sluice::l4::tcp
