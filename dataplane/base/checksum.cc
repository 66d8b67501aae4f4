// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <array>

namespace sluice {
namespace {

std::uint64_t fold(std::uint64_t sum) {
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffu) + (sum >> 16);
  sum = (sum & 0xffffu) + (sum >> 16);
  return (sum & 0xffffu) + (sum >> 16);
}

std::uint64_t load64(const std::uint8_t* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// One's complement addition of 64 bits: an add and an add with carry.
std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  a += b;
  return a + (a < b);
}

#if defined(__x86_64__)
constexpr std::size_t kVectorBlock = 64;

/// Of whole blocks, as sums of 32-bit words that have 64 bits of room: twice the speed of the loop below.
__attribute__((target("avx2"))) std::uint64_t sum_blocks(const std::uint8_t* p, std::size_t blocks) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (; blocks > 0; --blocks, p += kVectorBlock) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
    b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
    c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
    d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
  }
  std::array<std::uint64_t, 4> sums;
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums.data()),
                      _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d)));
  return sums[0] + sums[1] + sums[2] + sums[3];
}
#endif

/// One's complement sum of 16-bit words in memory order, an odd last byte padded with zero. One's complement
/// addition does not care in which width it is done (RFC 1071, 2 (C)), so eight bytes at a time, in chains
/// that do not wait for one another.
std::uint64_t sum_words(std::span<const std::uint8_t> bytes) {
  std::uint64_t a = 0, b = 0, c = 0, d = 0;
  const std::uint8_t* p = bytes.data();
  std::size_t n = bytes.size();
#if defined(__x86_64__)
  if (n >= 4 * kVectorBlock && __builtin_cpu_supports("avx2") != 0) {
    a = sum_blocks(p, n / kVectorBlock);
    p += n - n % kVectorBlock;
    n %= kVectorBlock;
  }
#endif
  for (; n >= 32; p += 32, n -= 32) {
    a = plus(a, load64(p));
    b = plus(b, load64(p + 8));
    c = plus(c, load64(p + 16));
    d = plus(d, load64(p + 24));
  }
  for (; n >= 8; p += 8, n -= 8) a = plus(a, load64(p));
  if (n > 0) {
    std::uint64_t rest = 0;
    std::memcpy(&rest, p, n);
    b = plus(b, rest);
  }
  return plus(plus(a, b), plus(c, d));
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
  // The 32-bit words of protocol and length hold no more than these 16-bit ones. The prefix of an IPv4-mapped
  // address is left out: only its last four bytes are in the header.
  std::uint64_t sum = plus(be32(length).raw(), be16(protocol).raw());
  if (source.is_v4()) {
    sum += (source.word(1) >> 32) + (destination.word(1) >> 32);
  } else {
    sum =
        plus(sum, plus(plus(source.word(0), source.word(1)), plus(destination.word(0), destination.word(1))));
  }
  sum_ += fold(sum);
  return *this;
}

be16 InternetChecksum::sum() const { return be16::from_raw(static_cast<std::uint16_t>(fold(sum_))); }

}  // namespace sluice
