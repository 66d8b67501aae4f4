// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <stdexcept>

#include "dataplane/net/segmenter.h"
#include "tests/support/eal.h"

namespace sluice::test {

/// Calls `each` with every packet that leaves, as the IP layer would let it: what is to be cut is cut.
template <class F>
void packets_on_the_wire(std::span<net::OutPacket> batch, F&& each) {
  for (net::OutPacket& p : batch) {
    if (p.segment_size == 0) {
      each(p);
      continue;
    }
    net::Segmenter segments(std::move(p), buffers());
    while (std::optional<net::OutPacket> one = segments.next()) each(*one);
    if (segments.exhausted()) throw std::runtime_error("no buffers to cut a packet");
  }
}

}  // namespace sluice::test
