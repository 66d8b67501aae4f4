// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/reassembly.h"

#include <algorithm>
#include <array>

namespace sluice::l4::tcp {

SeqNum Reassembly::known_to(SeqNum seq) const {
  for (const ReassemblyBlock* b = head_; b != nullptr && b->begin <= seq; b = b->next) {
    if (b->end() > seq) return b->end();
  }
  return seq;
}

bool Reassembly::insert(SeqNum seq, BufChain data, const ReassemblyLimits& limits, BufPool& buffers) {
  while (!data.empty()) {
    ReassemblyBlock* previous = nullptr;  // the last block that begins at or before seq
    for (ReassemblyBlock* b = head_; b != nullptr && b->begin <= seq; b = b->next) previous = b;
    if (previous != nullptr && previous->end() > seq) {
      const auto known = std::min<std::size_t>(distance(seq, previous->end()), data.size());
      data.drop_front(known);
      seq += static_cast<std::uint32_t>(known);
      continue;
    }
    if (buffers_ + data.segments() > limits.buffers) return false;

    const ReassemblyBlock* next = previous == nullptr ? head_ : previous->next;
    std::size_t n = data.size();
    if (next != nullptr) n = std::min<std::size_t>(n, distance(seq, next->begin));
    BufChain piece = n == data.size() ? std::move(data) : data.take_front(n, buffers);
    if (piece.empty()) return false;

    ReassemblyBlock* block = previous;
    if (previous == nullptr || previous->end() != seq) {
      if (blocks_ >= limits.blocks) return false;
      block = make(seq, previous);
      if (block == nullptr) return false;
    }
    const std::size_t before = block->data.segments();
    append_coalesced(block->data, std::move(piece), buffers);
    buffers_ += static_cast<std::uint32_t>(block->data.segments() - before);
    bytes_ += static_cast<std::uint32_t>(n);
    block->stamp = ++stamp_;
    seq += static_cast<std::uint32_t>(n);
    merge_next(*block);
  }
  return true;
}

ReassemblyBlock* Reassembly::make(SeqNum begin, ReassemblyBlock* previous) {
  ReassemblyBlock* block = pool_->create();
  if (block == nullptr) return nullptr;
  block->begin = begin;
  ReassemblyBlock*& link = previous == nullptr ? head_ : previous->next;
  block->next = link;
  link = block;
  ++blocks_;
  return block;
}

void Reassembly::merge_next(ReassemblyBlock& block) {
  ReassemblyBlock* next = block.next;
  if (next == nullptr || next->begin != block.end()) return;
  block.data.append(std::move(next->data));
  block.next = next->next;
  pool_->destroy(next);
  --blocks_;
}

BufChain Reassembly::take(SeqNum rcv_nxt) {
  BufChain out;
  while (head_ != nullptr && head_->begin <= rcv_nxt) {
    const std::uint32_t known = std::min<std::uint32_t>(distance(head_->begin, rcv_nxt),
                                                        static_cast<std::uint32_t>(head_->data.size()));
    bytes_ -= static_cast<std::uint32_t>(head_->data.size());
    buffers_ -= static_cast<std::uint32_t>(head_->data.segments());
    head_->data.drop_front(known);
    rcv_nxt += static_cast<std::uint32_t>(head_->data.size());
    out.append(std::move(head_->data));
    remove_head();
  }
  return out;
}

void Reassembly::remove_head() {
  ReassemblyBlock* gone = head_;
  head_ = gone->next;
  pool_->destroy(gone);
  --blocks_;
}

void Reassembly::report(Options& options, std::size_t limit) const {
  limit = std::min(limit, kMaxSackBlocks) - options.sack_count;
  std::array<const ReassemblyBlock*, kMaxSackBlocks> newest{};
  std::size_t count = 0;
  for (const ReassemblyBlock* b = head_; b != nullptr; b = b->next) {
    std::size_t at = count;
    while (at > 0 && newest[at - 1]->stamp < b->stamp) --at;
    if (at >= limit) continue;
    if (count < limit) ++count;
    for (std::size_t i = count - 1; i > at; --i) newest[i] = newest[i - 1];
    newest[at] = b;
  }
  for (std::size_t i = 0; i < count; ++i) options.add_sack({newest[i]->begin, newest[i]->end()});
}

void Reassembly::clear() {
  while (head_ != nullptr) remove_head();
  bytes_ = buffers_ = 0;
}

}  // namespace sluice::l4::tcp
