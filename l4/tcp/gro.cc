// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/gro.h"

#include <cstring>

#include "dataplane/net/wire.h"
#include "l4/tcp/coalesce.h"

namespace sluice::l4::tcp {
namespace {

using net::wire::load32;

// Places in the header (RFC 9293, 3.1).
constexpr std::size_t kSeqAt = 4, kAckAt = 8, kFlagsAt = 13, kWindowAt = 14, kChecksumAt = 16,
                      kUrgentAt = 18;
/// As an IP packet could bring it.
constexpr std::size_t kMost = 65'000;

bool same(const std::uint8_t* a, const std::uint8_t* b, std::size_t from, std::size_t to) {
  return std::memcmp(a + from, b + from, to - from) == 0;
}

/// Nothing but text, sequence number and checksum may differ.
bool alike(const std::uint8_t* a, const std::uint8_t* b, std::size_t size) {
  return a[kFlagsAt] == kAck && (b[kFlagsAt] & ~kPsh) == kAck && same(a, b, kAckAt, kFlagsAt) &&
         same(a, b, kWindowAt, kChecksumAt) && same(a, b, kUrgentAt, size);
}

}  // namespace

bool may_join(const Connection& c, const net::Packet& first) {
  return c.may_receive_data() && c.reassembly.empty() && first.chain.size() > first.header_len &&
         SeqNum(load32(BufChain::view(first.chain.front()).data() + kSeqAt)) == c.rcv_nxt;
}

bool join(net::Packet& first, net::Packet& next) {
  if (first.header_len != next.header_len || first.tos != next.tos || !(first.flow == next.flow)) return false;
  const std::size_t text = first.payload_len(), more = next.payload_len();
  if (text == 0 || more <= kCopyBelow || text + more > kMost) return false;  // few bytes are copied, one by one
  std::uint8_t* a = rte_pktmbuf_mtod(first.chain.head(), std::uint8_t*);
  const std::uint8_t* b = BufChain::view(next.chain.front()).data();
  if (!alike(a, b, first.header_len) || load32(b + kSeqAt) != load32(a + kSeqAt) + text) return false;
  a[kFlagsAt] = b[kFlagsAt];
  next.chain.drop_front(next.header_len);
  first.chain.append(std::move(next.chain));
  return true;
}

}  // namespace sluice::l4::tcp
