// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/checksum.h"

namespace sluice {
namespace {

std::uint64_t fold(std::uint64_t sum) {
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffu) + (sum >> 16);
  sum = (sum & 0xffffu) + (sum >> 16);
  return (sum & 0xffffu) + (sum >> 16);
}

/// Sum of 16-bit words in memory order, an odd last byte padded with zero. At most 2^32 bytes.
std::uint64_t sum_words(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  const std::uint8_t* p = bytes.data();
  std::size_t n = bytes.size();
  // Two 32-bit halves of each 8 bytes: independent adds, which the compiler turns into vectors.
  for (; n >= 8; p += 8, n -= 8) {
    std::uint32_t a, b;
    std::memcpy(&a, p, 4);
    std::memcpy(&b, p + 4, 4);
    sum += a;
    sum += b;
  }
  for (; n >= 2; p += 2, n -= 2) {
    std::uint16_t word;
    std::memcpy(&word, p, 2);
    sum += word;
  }
  return n == 0 ? sum : sum + *p;
}

}  // namespace

InternetChecksum& InternetChecksum::add(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = fold(sum_words(bytes));
  // At an odd offset every byte sits in the other half of its word (RFC 1071, 2 (B)).
  if (odd_) sum = (sum & 0xff) << 8 | sum >> 8;
  sum_ += sum;
  odd_ ^= (bytes.size() & 1) != 0;
  return *this;
}

InternetChecksum& InternetChecksum::add(const BufChain& chain) {
  for (const rte_mbuf* m = chain.front(); m != nullptr; m = BufChain::next(m)) add(BufChain::view(m));
  return *this;
}

InternetChecksum& InternetChecksum::add_pseudo_header(const IpAddr& source, const IpAddr& destination,
                                                      std::uint8_t protocol, std::uint32_t length) {
  add({source.wire(), source.wire_size()});
  add({destination.wire(), destination.wire_size()});
  const std::uint32_t tail[2] = {be32(length).raw(), be32(protocol).raw()};
  return add({reinterpret_cast<const std::uint8_t*>(tail), sizeof tail});
}

be16 InternetChecksum::sum() const { return be16::from_raw(static_cast<std::uint16_t>(fold(sum_))); }

}  // namespace sluice
