// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/streams/impair.h"

#include <utility>

namespace sluice::pktgen {
namespace {

/// Own memory: both go on to be written to. Empty: no buffer.
BufChain copy_of(const BufChain& chain, BufPool& buffers) {
  Buf b = buffers.alloc();
  if (!b || b.tailroom() < chain.size()) return {};
  const std::size_t n = chain.size();
  chain.copy_out(0, {b.append(n), n});
  return BufChain(std::move(b));
}

net::OutPacket copy_of(const net::OutPacket& p, BufPool& buffers) {
  return {copy_of(p.chain, buffers), p.source, p.destination, p.protocol, p.tos, p.ttl};
}

net::Packet copy_of(const net::Packet& p, BufPool& buffers) {
  return {copy_of(p.chain, buffers), p.flow, p.header_len, p.protocol, p.tos, p.ttl, p.port};
}

}  // namespace

template <class Packet>
void BadWire<Packet>::pass(Packet& p, std::vector<Packet>& out, Instant now) {
  if (chance(how_.loss_ppm)) return p.chain.clear();
  if (chance(how_.duplicate_ppm)) {
    if (Packet twin = copy_of(p, buffers_); !twin.chain.empty()) out.push_back(std::move(twin));
  }
  if (chance(how_.reorder_ppm)) {
    held_.push_back({std::move(p), 0, now});
    return;
  }
  out.push_back(std::move(p));
  for (std::size_t i = 0; i < held_.size();) {
    if (++held_[i].overtaken_by < how_.reorder_by) {
      ++i;
      continue;
    }
    out.push_back(std::move(held_[i].packet));
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

template <class Packet>
void BadWire<Packet>::release(std::vector<Packet>& out, Instant now) {
  while (!held_.empty() && now - held_.front().since > kLongest) {
    out.push_back(std::move(held_.front().packet));
    held_.erase(held_.begin());
  }
}

template class BadWire<net::Packet>;
template class BadWire<net::OutPacket>;

void ImpairedOutput::send(std::span<net::OutPacket> batch, Instant now) {
  for (net::OutPacket& p : batch) {
    if (p.destination == target_) {
      wire_.pass(p, ready_, now);
    } else {
      ready_.push_back(std::move(p));
    }
  }
  out_.send(ready_, now);
  ready_.clear();
}

void ImpairedOutput::release(Instant now) {
  wire_.release(ready_, now);
  if (ready_.empty()) return;
  out_.send(ready_, now);
  ready_.clear();
}

}  // namespace sluice::pktgen
