// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/buf.h"
#include "l7/tls/protocol.h"
#include "l7/tls/record_tools.h"

/// Records of TLS 1.2 and 1.3 with an AEAD (RFC 5246, 6.2; RFC 8446, 5). What opens and seals one of them is in
/// record_opener and record_sealer; what they mean for a connection in own_records.
namespace sluice::l7::tls {

inline constexpr std::size_t kMaxAdditional = 13;
/// Pieces of one record, at most.
inline constexpr std::size_t kMaxPieces = 128;

/// One direction of a connection.
struct Direction {
  Secret secret;  ///< TLS 1.3: what the next key will come from.
  TrafficKey key;
  std::uint64_t sequence = 0;  ///< Of the next record.
};

struct RecordContext {
  const Suite& suite;
  RecordTools& tools;
  BufPool& buffers;
};

/// What an AEAD authenticates besides the message, and its nonce.
struct Envelope {
  std::span<const std::uint8_t> additional() const { return std::span(bytes).first(size); }

  Nonce nonce;
  std::array<std::uint8_t, kMaxAdditional> bytes;
  std::size_t size;
};

using RecordHeader = std::array<std::uint8_t, kRecordHeader>;

/// `header`: as it stands on the wire. `explicit_nonce`: the 8 bytes behind it, where the suite has them.
/// `plaintext`: bytes of the message (TLS 1.2).
Envelope envelope(const Suite& suite, const Direction& direction, const RecordHeader& header,
                  const std::uint8_t* explicit_nonce, std::size_t plaintext);

void store_be64(std::uint8_t* to, std::uint64_t value);

}  // namespace sluice::l7::tls
