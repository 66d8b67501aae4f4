// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/head_scanner.h"

#include <algorithm>
#include <cstring>

namespace sluice::l7::http1 {

HeadScanner::Event HeadScanner::scan(const BufChain& in, const Limits& limits) {
  std::size_t start = 0;  // of the segment
  for (const auto* m = in.front(); m != nullptr && scanned_ < limits.max_head; m = BufChain::next(m)) {
    const auto bytes = BufChain::view(m);
    const std::size_t end = std::min(start + bytes.size(), limits.max_head);
    while (scanned_ < end) {
      const std::uint8_t* from = bytes.data() + (scanned_ - start);
      const auto* lf = static_cast<const std::uint8_t*>(std::memchr(from, '\n', end - scanned_));
      if (lf == nullptr) {
        last_ = bytes[end - start - 1];
        scanned_ = end;
        break;
      }
      const std::size_t at = start + static_cast<std::size_t>(lf - bytes.data());
      if (lf != from) last_ = lf[-1];
      scanned_ = at + 1;
      if (const Event e = line_feed(at, limits); e != Event::kMore) return e;
      last_ = '\n';
    }
    start += bytes.size();
  }
  if (first_line_ == 0 && scanned_ >= limits.max_line + 2) return Event::kLineTooLong;
  return scanned_ >= limits.max_head ? Event::kTooLarge : Event::kMore;
}

// A LF at offset `at`, behind last_.
HeadScanner::Event HeadScanner::line_feed(std::size_t at, const Limits& limits) {
  if (first_line_ == 0 && at >= limits.max_line + 2) return Event::kLineTooLong;
  if (last_ != '\r') return Event::kBareLf;
  if (at == line_start_ + 1) return Event::kEnd;
  line_start_ = at + 1;
  if (first_line_ == 0) first_line_ = at + 1;
  return ++lines_ > limits.max_fields + 1 ? Event::kTooManyFields : Event::kMore;
}

void compact(BufChain& in, BufPool& pool) {
  if (in.segments() <= 16 + in.size() / 512) return;
  BufChain dense;
  for (const auto* m = in.front(); m != nullptr; m = BufChain::next(m)) {
    if (!dense.append_copy(BufChain::view(m), pool)) return;
  }
  in = std::move(dense);
}

}  // namespace sluice::l7::http1
