// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/buf.h"
#include "dataplane/base/object_pool.h"
#include "l4/tcp/coalesce.h"
#include "l4/tcp/seq_num.h"
#include "l4/tcp/wire.h"

namespace sluice::l4::tcp {

/// A run of bytes without a gap.
struct ReassemblyBlock {
  SeqNum begin;
  std::uint32_t stamp = 0;  ///< Grows: which block changed last.
  BufChain data;
  ReassemblyBlock* next = nullptr;

  SeqNum end() const { return begin + static_cast<std::uint32_t>(data.size()); }
};

struct ReassemblyLimits {
  std::uint16_t blocks = 0;
  std::uint32_t buffers = 0;  ///< Segments of packet memory: true memory, however little of each is used.
};

/// What arrived above rcv_nxt. Blocks are sorted, disjoint and not adjacent. What came first wins where
/// segments overlap, so that bytes that were acknowledged by SACK cannot be changed.
class Reassembly {
 public:
  using Pool = ObjectPool<ReassemblyBlock>;

  explicit Reassembly(Pool& pool) : pool_(&pool) {}
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;
  ~Reassembly() { clear(); }

  bool empty() const { return head_ == nullptr; }
  /// Where the first block begins; there is one.
  SeqNum begin() const { return head_->begin; }
  std::size_t bytes() const { return bytes_; }
  std::size_t blocks() const { return blocks_; }
  std::size_t buffers() const { return buffers_; }

  /// Up to where the bytes from `seq` on are here already; `seq` when they are not.
  SeqNum known_to(SeqNum seq) const;
  /// False: something was dropped because of a limit or for lack of memory.
  bool insert(SeqNum seq, BufChain data, const ReassemblyLimits& limits, BufPool& buffers);
  /// The bytes from `rcv_nxt` on, and forgets what lies before. Empty when there is still a gap.
  BufChain take(SeqNum rcv_nxt);
  /// RFC 2018, 4: the block that changed last first, then the others by age. As many as fit in `limit`, with
  /// those that are there.
  void report(Options& options, std::size_t limit) const;
  void clear();

 private:
  ReassemblyBlock* make(SeqNum begin, ReassemblyBlock* previous);
  void merge_next(ReassemblyBlock& block);
  void remove_head();

  Pool* pool_;
  ReassemblyBlock* head_ = nullptr;
  std::uint32_t stamp_ = 0;
  std::uint32_t bytes_ = 0;
  std::uint32_t buffers_ = 0;
  std::uint16_t blocks_ = 0;
};

}  // namespace sluice::l4::tcp
