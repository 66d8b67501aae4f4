// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "l7/tls/aead_engine.h"
#include "l7/tls/key_schedule.h"

namespace sluice::l7::tls {

inline constexpr std::size_t kMaxRecord = 16384;  ///< Plaintext bytes (RFC 8446, 5.1).
/// RFC 8446, 5.5: AES-GCM is good for 2^24.5 full records under one key.
inline constexpr std::uint64_t kMaxRecordsPerKey = 1 << 24;

/// A worker's memory for one record as one piece: content type and tag included.
using RecordScratch = std::array<std::uint8_t, kMaxRecord + 1 + kTagSize>;

/// What the record layers of one worker share.
struct RecordTools {
  /// False: records stay with OpenSSL.
  bool ready() const { return aead.ready() && schedule.ready(); }

  AeadEngine aead;
  KeySchedule schedule;
  RecordScratch scratch;
  std::uint64_t max_records = kMaxRecordsPerKey;
};

}  // namespace sluice::l7::tls
