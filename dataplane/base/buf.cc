// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/buf.h"

namespace sluice {

void BufChain::push_back(Buf b) {
  if (!b || b.size() == 0) return;
  rte_mbuf* m = b.release();
  m->next = nullptr;
  (head_ == nullptr ? head_ : tail_->next) = m;
  tail_ = m;
  bytes_ += m->data_len;
  ++count_;
}

Buf BufChain::pop_front() {
  rte_mbuf* m = head_;
  if (m == nullptr) return Buf();
  head_ = m->next;
  if (head_ == nullptr) tail_ = nullptr;
  m->next = nullptr;
  m->nb_segs = 1;
  m->pkt_len = m->data_len;
  bytes_ -= m->data_len;
  --count_;
  return Buf(m);
}

void BufChain::append(BufChain&& other) {
  if (other.empty()) return;
  (head_ == nullptr ? head_ : tail_->next) = other.head_;
  tail_ = other.tail_;
  bytes_ += other.bytes_;
  count_ += other.count_;
  other.head_ = other.tail_ = nullptr;
  other.bytes_ = other.count_ = 0;
}

void BufChain::drop_front(std::size_t n) {
  bytes_ -= static_cast<std::uint32_t>(n);
  while (n > 0) {
    rte_mbuf* m = head_;
    if (n < m->data_len) {
      m->data_off = static_cast<std::uint16_t>(m->data_off + n);
      m->data_len = static_cast<std::uint16_t>(m->data_len - n);
      return;
    }
    n -= m->data_len;
    head_ = m->next;
    if (head_ == nullptr) {
      tail_ = nullptr;
    } else {
      __builtin_prefetch(head_);
    }
    --count_;
    rte_pktmbuf_free_seg(m);  // unlinks it
  }
}

BufChain BufChain::take_front(std::size_t n, BufPool& pool) {
  BufChain out;
  if (n == 0) return out;
  // The straddling segment first: it is the only step that can fail.
  std::size_t whole = 0;
  rte_mbuf* m = head_;
  while (m != nullptr && whole + m->data_len <= n) {
    whole += m->data_len;
    m = m->next;
  }
  Buf part;
  if (whole < n) {
    Buf borrowed(m);
    part = pool.share(borrowed, 0, n - whole);
    borrowed.release();
    if (!part) return out;
  }
  while (out.size() < whole) out.push_back(pop_front());
  if (part) {
    drop_front(part.size());
    out.push_back(std::move(part));
  }
  return out;
}

BufChain BufChain::take_through(rte_mbuf* last, std::size_t count, std::size_t n) {
  BufChain out;
  out.head_ = std::exchange(head_, std::exchange(last->next, nullptr));
  out.tail_ = last;
  out.bytes_ = static_cast<std::uint32_t>(n);
  out.count_ = static_cast<std::uint32_t>(count);
  if (head_ == nullptr) tail_ = nullptr;
  bytes_ -= out.bytes_;
  count_ -= out.count_;
  return out;
}

BufChain BufChain::share(std::size_t offset, std::size_t n, BufPool& pool) const {
  BufChain out;
  for (rte_mbuf* m = head_; m != nullptr && n > 0; m = m->next) {
    if (offset >= m->data_len) {
      offset -= m->data_len;
      continue;
    }
    const std::size_t len = std::min<std::size_t>(n, m->data_len - offset);
    Buf borrowed(m);
    Buf part = pool.share(borrowed, offset, len);
    borrowed.release();
    if (!part) return BufChain();
    out.push_back(std::move(part));
    n -= len;
    offset = 0;
  }
  return out;
}

void BufChain::copy_out(std::size_t offset, std::span<std::uint8_t> out) const {
  for (const rte_mbuf* m = head_; m != nullptr && !out.empty(); m = m->next) {
    if (offset >= m->data_len) {
      offset -= m->data_len;
      continue;
    }
    const std::size_t len = std::min<std::size_t>(out.size(), m->data_len - offset);
    std::memcpy(out.data(), view(m).data() + offset, len);
    out = out.subspan(len);
    offset = 0;
  }
}

bool BufChain::append_copy(std::span<const std::uint8_t> bytes, BufPool& pool) {
  BufChain fresh;
  std::size_t in_tail = 0;
  if (tail_ != nullptr && segment::exclusive(tail_)) {
    in_tail = std::min(bytes.size(), segment::tailroom(tail_));
  }
  for (auto rest = bytes.subspan(in_tail); !rest.empty();) {
    Buf b = pool.alloc();
    if (!b) return false;
    const std::size_t n = std::min(rest.size(), b.tailroom());
    std::memcpy(b.append(n), rest.data(), n);
    fresh.push_back(std::move(b));
    rest = rest.subspan(n);
  }
  if (in_tail > 0) {
    std::memcpy(rte_pktmbuf_mtod(tail_, std::uint8_t*) + tail_->data_len, bytes.data(), in_tail);
    tail_->data_len = static_cast<std::uint16_t>(tail_->data_len + in_tail);
    bytes_ += static_cast<std::uint32_t>(in_tail);
  }
  append(std::move(fresh));
  return true;
}

BufChain BufChain::adopt(rte_mbuf* frame) {
  BufChain out;
  while (frame != nullptr) {
    rte_mbuf* next = std::exchange(frame->next, nullptr);
    frame->nb_segs = 1;
    out.push_back(Buf(frame));
    frame = next;
  }
  return out;
}

rte_mbuf* BufChain::release() {
  if (head_ == nullptr) return nullptr;
  head_->nb_segs = static_cast<std::uint16_t>(count_);
  head_->pkt_len = bytes_;
  rte_mbuf* frame = std::exchange(head_, nullptr);
  tail_ = nullptr;
  bytes_ = count_ = 0;
  return frame;
}

void BufChain::push_front(Buf b) {
  BufChain front(std::move(b));
  front.append(std::move(*this));
  swap(front);
}

std::uint8_t* BufChain::prepend(std::size_t n) {
  head_->data_off = static_cast<std::uint16_t>(head_->data_off - n);
  head_->data_len = static_cast<std::uint16_t>(head_->data_len + n);
  bytes_ += static_cast<std::uint32_t>(n);
  return rte_pktmbuf_mtod(head_, std::uint8_t*);
}

std::uint8_t* BufChain::extend(std::size_t n) {
  std::uint8_t* at = rte_pktmbuf_mtod(tail_, std::uint8_t*) + tail_->data_len;
  tail_->data_len = static_cast<std::uint16_t>(tail_->data_len + n);
  bytes_ += static_cast<std::uint32_t>(n);
  return at;
}

void BufChain::drop_back(std::size_t n) {
  if (n == 0) return;
  if (n < tail_->data_len) {
    tail_->data_len = static_cast<std::uint16_t>(tail_->data_len - n);
    bytes_ -= static_cast<std::uint32_t>(n);
    return;
  }
  const std::size_t keep = bytes_ - n;
  if (keep == 0) return clear();
  std::size_t before = 0;
  rte_mbuf* m = head_;
  std::size_t kept = 1;
  for (; before + m->data_len < keep; m = m->next, ++kept) before += m->data_len;
  m->data_len = static_cast<std::uint16_t>(keep - before);
  for (rte_mbuf* rest = std::exchange(m->next, nullptr); rest != nullptr;) {
    rte_mbuf* next = std::exchange(rest->next, nullptr);
    rte_pktmbuf_free_seg(rest);
    rest = next;
  }
  tail_ = m;
  bytes_ = static_cast<std::uint32_t>(keep);
  count_ = kept;
}

std::string BufChain::to_string() const {
  std::string out;
  out.reserve(bytes_);
  for (const rte_mbuf* m = head_; m != nullptr; m = m->next) {
    out.append(reinterpret_cast<const char*>(view(m).data()), m->data_len);
  }
  return out;
}

void BufChain::free_all() {
  for (rte_mbuf* m = head_; m != nullptr;) {
    rte_mbuf* next = m->next;
    rte_pktmbuf_free_seg(m);  // unlinks it
    m = next;
  }
  head_ = tail_ = nullptr;
  bytes_ = count_ = 0;
}

}  // namespace sluice
