// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/record_format.h"

namespace sluice::l7::tls {

struct OpenedRecord {
  enum class Status { kDone, kNeedMore, kNoBuffers, kRefused };
  Status status = Status::kDone;
  ContentType type{};  ///< kDone
  Alert alert{};       ///< kRefused
};

/// Takes the first record off `in` and appends its content, without type and padding, to `content`, which is empty.
/// Bytes are deciphered where they lie; but for a last segment that goes on behind the record (its part is deciphered
/// into a fresh one), and for memory that others refer to (by way of the scratch). kNeedMore, kNoBuffers: nothing has
/// changed. kRefused: the connection is to be ended with that alert.
OpenedRecord open_record(const RecordContext& context, Direction& direction, BufChain& in, BufChain& content);

}  // namespace sluice::l7::tls
