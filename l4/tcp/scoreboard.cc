// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/scoreboard.h"

#include <algorithm>

namespace sluice::l4::tcp {

std::uint32_t Scoreboard::add(SackBlock block) {
  // [first, last) are the ranges that touch or overlap the block.
  std::size_t first = 0;
  while (first < count_ && ranges_[first].end < block.begin) ++first;
  std::size_t last = first;
  std::uint32_t known = 0;
  while (last < count_ && ranges_[last].begin <= block.end) {
    const SackBlock& r = ranges_[last];
    known += distance(max(r.begin, block.begin), min(r.end, block.end));
    ++last;
  }
  const std::uint32_t news = distance(block.begin, block.end) - known;
  if (news == 0) return 0;
  if (first == last) {
    if (count_ == kRanges) return 0;
    std::copy_backward(ranges_.begin() + first, ranges_.begin() + count_, ranges_.begin() + count_ + 1);
    ++count_;
    ranges_[first] = block;
  } else {
    ranges_[first] = {min(ranges_[first].begin, block.begin), max(ranges_[last - 1].end, block.end)};
    erase(first + 1, last);
  }
  bytes_ += news;
  return news;
}

void Scoreboard::erase(std::size_t first, std::size_t last) {
  std::copy(ranges_.begin() + last, ranges_.begin() + count_, ranges_.begin() + first);
  count_ -= last - first;
}

void Scoreboard::acknowledge(SeqNum una) {
  std::size_t gone = 0;
  while (gone < count_ && ranges_[gone].end <= una) {
    bytes_ -= distance(ranges_[gone].begin, ranges_[gone].end);
    ++gone;
  }
  erase(0, gone);
  if (count_ > 0 && ranges_[0].begin < una) {
    bytes_ -= distance(ranges_[0].begin, una);
    ranges_[0].begin = una;
  }
}

bool Scoreboard::is_lost(SeqNum seq, std::uint32_t mss) const {
  std::size_t above = 0;
  std::uint32_t bytes = 0;
  for (std::size_t i = count_; i-- > 0 && ranges_[i].begin > seq;) {
    ++above;
    bytes += distance(ranges_[i].begin, ranges_[i].end);
  }
  return above >= kDupThresh || bytes > (kDupThresh - 1) * mss;
}

std::uint32_t Scoreboard::pipe(SeqNum una, SeqNum high_rxt, SeqNum max_sent, std::uint32_t mss) const {
  std::uint32_t pipe = 0;
  SeqNum at = una;
  std::uint32_t above = bytes_;
  for (std::size_t i = 0; i < count_; ++i) {
    const SackBlock hole{at, ranges_[i].begin};
    const bool lost = count_ - i >= kDupThresh || above > (kDupThresh - 1) * mss;
    if (!lost) pipe += distance(hole.begin, hole.end);      // RFC 6675, SetPipe (a)
    pipe += distance(hole.begin, min(hole.end, high_rxt));  // SetPipe (b)
    above -= distance(ranges_[i].begin, ranges_[i].end);
    at = ranges_[i].end;
  }
  return pipe + distance(at, max_sent) + distance(at, min(high_rxt, max_sent));
}

std::optional<SackBlock> Scoreboard::hole(SeqNum from) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (from < ranges_[i].begin) return SackBlock{from, ranges_[i].begin};
    from = max(from, ranges_[i].end);
  }
  return std::nullopt;
}

SeqNum Scoreboard::skip(SeqNum seq) const {
  for (std::size_t i = 0; i < count_ && ranges_[i].begin <= seq; ++i) seq = max(seq, ranges_[i].end);
  return seq;
}

std::uint32_t Scoreboard::bytes_below(SeqNum seq) const {
  std::uint32_t n = 0;
  for (std::size_t i = 0; i < count_; ++i) n += distance(ranges_[i].begin, min(ranges_[i].end, seq));
  return n;
}

}  // namespace sluice::l4::tcp
