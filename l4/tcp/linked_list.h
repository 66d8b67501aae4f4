// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::l4::tcp {

template <class T>
struct Links {
  T *prev = nullptr, *next = nullptr;
};

/// A doubly linked list through members of its elements.
template <class T, Links<T> T::*L>
class LinkedList {
 public:
  T* first() const { return first_; }
  T* last() const { return last_; }
  /// Behind `at`; in front of all when null.
  void insert_after(T* at, T& x) {
    T* after = at == nullptr ? first_ : (at->*L).next;
    (x.*L) = {at, after};
    (at == nullptr ? first_ : (at->*L).next) = &x;
    (after == nullptr ? last_ : (after->*L).prev) = &x;
  }
  void push_back(T& x) { insert_after(last_, x); }
  void remove(T& x) {
    const Links<T> l = x.*L;
    (l.prev == nullptr ? first_ : (l.prev->*L).next) = l.next;
    (l.next == nullptr ? last_ : (l.next->*L).prev) = l.prev;
  }

 private:
  T *first_ = nullptr, *last_ = nullptr;
};

}  // namespace sluice::l4::tcp
