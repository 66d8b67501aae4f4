// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/buf.h"

namespace sluice::l4::tcp {

/// Up to here bytes are copied: cheaper than a reference, and a few bytes do not pin a whole buffer.
inline constexpr std::size_t kCopyBelow = 256;
/// More buffers than this in one segment on the wire are copied into fewer; ports have limits of that order.
inline constexpr std::size_t kMaxWireBuffers = 8;

/// Appends `data` to `to`, by copy when it is small. Order is kept in any case.
void append_coalesced(BufChain& to, BufChain&& data, BufPool& buffers);

/// Copies a chain of more than `most` buffers into as few as possible. Without memory it stays as it is.
void flatten(BufChain& chain, std::size_t most, BufPool& buffers);

}  // namespace sluice::l4::tcp
