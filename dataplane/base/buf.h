// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

/// One segment, also of one that stays in a chain: its length must not be changed through these.
namespace segment {

inline std::size_t headroom(const rte_mbuf* m) { return rte_pktmbuf_headroom(m); }
inline std::size_t tailroom(const rte_mbuf* m) { return rte_pktmbuf_tailroom(m); }
/// True when nobody else refers to this memory, so that it may be written.
inline bool exclusive(const rte_mbuf* m) { return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1; }
inline std::span<std::uint8_t> writable(rte_mbuf* m) { return {rte_pktmbuf_mtod(m, std::uint8_t*), m->data_len}; }
inline rte_mbuf* next(rte_mbuf* m) { return m->next; }

}  // namespace segment

/// One reference to one segment of packet memory (an mbuf without its `next`). Move only; dropping it gives the
/// reference back to its pool. Several Bufs may share memory (see BufPool::share); bytes of shared memory are
/// read-only. Owned by one worker at a time.
class Buf {
 public:
  Buf() = default;
  /// Takes over one segment; `m->next` must be null.
  explicit Buf(rte_mbuf* m) : m_(m) {}
  Buf(Buf&& other) noexcept : m_(std::exchange(other.m_, nullptr)) {}
  Buf& operator=(Buf&& other) noexcept {
    if (this != &other) {
      reset();
      m_ = std::exchange(other.m_, nullptr);
    }
    return *this;
  }
  ~Buf() { reset(); }

  explicit operator bool() const { return m_ != nullptr; }
  std::uint8_t* data() { return rte_pktmbuf_mtod(m_, std::uint8_t*); }
  const std::uint8_t* data() const { return rte_pktmbuf_mtod(m_, const std::uint8_t*); }
  std::size_t size() const { return m_->data_len; }
  std::span<const std::uint8_t> bytes() const { return {data(), size()}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data()), size()}; }
  std::size_t headroom() const { return segment::headroom(m_); }
  std::size_t tailroom() const { return segment::tailroom(m_); }
  bool exclusive() const { return segment::exclusive(m_); }

  /// Grow or shrink within the segment; the caller has checked the room. `pkt_len` follows.
  std::uint8_t* prepend(std::size_t n) {
    m_->data_off = static_cast<std::uint16_t>(m_->data_off - n);
    resize(size() + n);
    return data();
  }
  std::uint8_t* append(std::size_t n) {
    std::uint8_t* at = data() + size();
    resize(size() + n);
    return at;
  }
  void trim_front(std::size_t n) {
    m_->data_off = static_cast<std::uint16_t>(m_->data_off + n);
    resize(size() - n);
  }
  void trim_back(std::size_t n) { resize(size() - n); }

  rte_mbuf* raw() { return m_; }
  const rte_mbuf* raw() const { return m_; }
  rte_mbuf* release() { return std::exchange(m_, nullptr); }
  void reset() {
    if (m_ != nullptr) rte_pktmbuf_free_seg(std::exchange(m_, nullptr));
  }

 private:
  void resize(std::size_t n) {
    m_->data_len = static_cast<std::uint16_t>(n);
    m_->pkt_len = static_cast<std::uint32_t>(n);
  }
  rte_mbuf* m_ = nullptr;
};

/// Where segments come from: `data` buffers with room for a frame, and small ones that only refer to part of
/// another segment. Shared by all workers (per-lcore mempool caches); allocation may fail and then returns an
/// empty Buf.
class BufPool {
 public:
  BufPool(rte_mempool* data, rte_mempool* refs) : data_(data), refs_(refs) {}

  /// An empty segment with RTE_PKTMBUF_HEADROOM bytes in front, about 2 KB of room behind.
  Buf alloc() { return Buf(rte_pktmbuf_alloc(data_)); }
  /// A second reference to bytes [offset, offset+len) of `of`. No copy.
  Buf share(Buf& of, std::size_t offset, std::size_t len) {
    rte_mbuf* m = rte_pktmbuf_alloc(refs_);
    if (m == nullptr) return Buf();
    rte_pktmbuf_attach(m, of.raw());
    Buf out(m);
    out.trim_front(offset);
    out.trim_back(out.size() - len);
    return out;
  }
  rte_mempool* data_pool() const { return data_; }
  unsigned available() const { return rte_mempool_avail_count(data_); }

 private:
  rte_mempool* data_;
  rte_mempool* refs_;
};

/// A queue of bytes: a list of segments whose owner moves with it. `size()` is in bytes, below 4 GiB (windows and
/// bounds of buffers are megabytes). Empty segments do not stay in a chain.
class BufChain {
 public:
  BufChain() = default;
  BufChain(BufChain&& other) noexcept
      : head_(std::exchange(other.head_, nullptr)),
        tail_(std::exchange(other.tail_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        count_(std::exchange(other.count_, 0)) {}
  BufChain& operator=(BufChain&& other) noexcept {
    if (this != &other) {
      clear();
      swap(other);
    }
    return *this;
  }
  explicit BufChain(Buf b) { push_back(std::move(b)); }
  ~BufChain() { clear(); }

  bool empty() const { return head_ == nullptr; }
  std::size_t size() const { return bytes_; }
  std::size_t segments() const { return count_; }

  /// First segment, null when empty. Iterate with `for (auto* m = chain.front(); m != nullptr; m = BufChain::next(m))`
  /// and look at it through `view(m)`.
  const rte_mbuf* front() const { return head_; }
  static const rte_mbuf* next(const rte_mbuf* m) { return m->next; }
  static std::span<const std::uint8_t> view(const rte_mbuf* m) {
    return {rte_pktmbuf_mtod(m, const std::uint8_t*), m->data_len};
  }

  void push_back(Buf b);
  Buf pop_front();
  void append(BufChain&& other);
  /// Drops `n` bytes (<= size()) from the front.
  void drop_front(std::size_t n);
  /// Moves the first `n` bytes (<= size()) out. A segment that straddles the cut is shared, not copied; where no
  /// reference can be allocated the result is empty although n > 0, and this chain is unchanged.
  BufChain take_front(std::size_t n, BufPool& pool);
  /// Moves the segments up to and with `last` out, which the caller has walked to: `count` of them, `n` bytes. None of
  /// them is touched but `last`.
  BufChain take_through(rte_mbuf* last, std::size_t count, std::size_t n);
  /// A second chain over bytes [offset, offset+n) of the same memory. Empty although n > 0: no memory.
  BufChain share(std::size_t offset, std::size_t n, BufPool& pool) const;
  /// Copies bytes [offset, offset+out.size()) out; the range must exist.
  void copy_out(std::size_t offset, std::span<std::uint8_t> out) const;
  /// Appends a copy, filling the tail segment's room when it is exclusive. False (nothing appended): no memory.
  bool append_copy(std::span<const std::uint8_t> bytes, BufPool& pool);
  bool append_copy(std::string_view text, BufPool& pool) {
    return append_copy(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), pool);
  }
  /// Takes over a whole frame as a driver gives it (linked segments, `nb_segs` of them).
  static BufChain adopt(rte_mbuf* frame);
  /// Gives the chain away as a frame for a driver: `nb_segs` and `pkt_len` are those of the whole. Null when empty.
  rte_mbuf* release();
  /// The first segment, for writing; null when empty. Its length must not be changed through this.
  rte_mbuf* head() { return head_; }
  /// Puts a segment in front.
  void push_front(Buf b);
  /// Makes `n` bytes of the first segment's headroom part of the chain; the caller has checked the room.
  std::uint8_t* prepend(std::size_t n);
  /// Makes `n` bytes of the last segment's tailroom part of the chain, and answers with where they begin; the caller has
  /// checked the room.
  std::uint8_t* extend(std::size_t n);
  /// Drops `n` bytes (<= size()) from the end.
  void drop_back(std::size_t n);
  std::string to_string() const;
  void clear() {
    if (head_ != nullptr) free_all();
  }
  void swap(BufChain& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(bytes_, other.bytes_);
    std::swap(count_, other.count_);
  }

 private:
  void free_all();
  rte_mbuf* head_ = nullptr;
  rte_mbuf* tail_ = nullptr;
  std::uint32_t bytes_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace sluice
