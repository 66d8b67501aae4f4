// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/record_format.h"

namespace sluice::l7::tls {

/// Bytes at the front of `plain` for a record of at most `most`: up to the end of a segment where that costs little and
/// saves a copy.
std::size_t record_size(const BufChain& plain, std::size_t most);

/// Enciphers the first `n` bytes of `plain`, as record_size() gave them, into a record at the end of `out`. Memory that
/// is nobody else's becomes the record as it is; other memory, and small pieces, are enciphered into fresh segments.
/// False: no buffers, nothing has changed.
bool seal_record(const RecordContext& context, Direction& direction, ContentType type, BufChain& plain, std::size_t n,
                 BufChain& out);

}  // namespace sluice::l7::tls
