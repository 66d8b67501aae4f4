// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "l7/tls/record_format.h"

namespace sluice::l7::tls {

/// Enciphers at most `most` bytes from the front of `plain` into a record at the end of `out`; it ends
/// where a segment ends if that costs little and saves a copy. Memory that is nobody else's becomes the record as it is;
/// other memory, and small pieces, are enciphered into fresh segments. Answers with the bytes sealed; none: no
/// buffers, nothing has changed.
std::optional<std::size_t> seal_record(const RecordContext& context, Direction& direction, ContentType type, BufChain& plain,
                                       std::size_t most, BufChain& out);

}  // namespace sluice::l7::tls
