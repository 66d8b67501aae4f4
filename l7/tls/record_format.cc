// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/record_format.h"

#include <algorithm>

namespace sluice::l7::tls {

void store_be64(std::uint8_t* to, std::uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}

Envelope envelope(const Suite& suite, const Direction& direction, const RecordHeader& header,
                  const std::uint8_t* explicit_nonce, std::size_t plaintext) {
  Envelope e;
  std::array<std::uint8_t, 8> sequence;
  store_be64(sequence.data(), direction.sequence);
  e.nonce = direction.key.iv;
  if (suite.explicit_nonce() > 0) {
    std::copy_n(explicit_nonce, suite.explicit_nonce(), e.nonce.begin() + 4);  // RFC 5288, 3: behind the salt
  } else {
    for (std::size_t i = 0; i < sequence.size(); ++i) e.nonce[4 + i] ^= sequence[i];  // RFC 8446, 5.3; RFC 7905, 2
  }
  if (suite.tls13) {
    std::copy(header.begin(), header.end(), e.bytes.begin());  // RFC 8446, 5.2
    e.size = header.size();
  } else {
    // RFC 5246, 6.2.3.3: seq_num + type + version + length
    auto* at = std::copy(sequence.begin(), sequence.end(), e.bytes.begin());
    at = std::copy_n(header.begin(), 3, at);
    *at++ = static_cast<std::uint8_t>(plaintext >> 8);
    *at = static_cast<std::uint8_t>(plaintext);
    e.size = kMaxAdditional;
  }
  return e;
}

}  // namespace sluice::l7::tls
