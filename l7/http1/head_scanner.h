// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/base/buf.h"

namespace sluice::l7::http1 {

struct Limits {
  std::size_t max_line = 8 * 1024;   ///< Request line, bytes; longer: 414.
  std::size_t max_head = 32 * 1024;  ///< Whole head, bytes; larger: 431.
  std::size_t max_fields = 100;      ///< More: 431. At most FieldList::kMax.
};

/// Looks for the empty line that ends a message head, from where it stopped the last time. Each LF must
/// follow a CR: the end that is found here is the end for every reader (RFC 9112, 2.2).
class HeadScanner {
 public:
  enum class Event : std::uint8_t { kMore, kEnd, kBareLf, kLineTooLong, kTooLarge, kTooManyFields };

  /// `in` holds what it held at the last call, and maybe more behind it. Events come in the order of the
  /// bytes that cause them; the first one other than kMore is final until reset().
  Event scan(const BufChain& in, const Limits& limits);
  /// Bytes seen; after kEnd, the head's size with its empty line.
  std::size_t scanned() const { return scanned_; }
  /// Size of the first line with its CRLF; 0: not complete yet.
  std::size_t first_line() const { return first_line_; }
  void reset() { *this = HeadScanner(); }

 private:
  Event line_feed(std::size_t at, const Limits& limits);

  std::size_t scanned_ = 0;
  std::size_t line_start_ = 0;
  std::size_t first_line_ = 0;
  std::size_t lines_ = 0;
  std::uint8_t last_ = 0;  // the byte before scanned_
};

/// Copies a chain of many small segments into few: a peer that sends a head byte by byte pins a buffer a
/// byte, and would make each look at it longer. Without memory nothing happens.
void compact(BufChain& in, BufPool& pool);

}  // namespace sluice::l7::http1
