// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sluice::pktgen {

/// A queue of objects that carry its links (`prev`, `next`), so that any can leave it at once. Does not own.
template <class T>
class List {
 public:
  bool empty() const { return head_ == nullptr; }
  std::size_t size() const { return size_; }
  T* front() { return head_; }

  void push_back(T& item) {
    item.prev = tail_;
    item.next = nullptr;
    (tail_ == nullptr ? head_ : tail_->next) = &item;
    tail_ = &item;
    ++size_;
  }
  void remove(T& item) {
    (item.prev == nullptr ? head_ : item.prev->next) = item.next;
    (item.next == nullptr ? tail_ : item.next->prev) = item.prev;
    item.prev = item.next = nullptr;
    --size_;
  }
  T* pop_front() {
    T* item = head_;
    if (item != nullptr) remove(*item);
    return item;
  }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sluice::pktgen
