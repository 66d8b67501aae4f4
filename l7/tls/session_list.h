// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::l7::tls {

class Session;

/// A place in a list, inside the session that stands in it. Leaves the list when destroyed.
struct SessionLink {
  explicit SessionLink(Session* s) : session(s) {}
  SessionLink(const SessionLink&) = delete;
  SessionLink& operator=(const SessionLink&) = delete;
  ~SessionLink() { unlink(); }
  bool linked() const { return next != this; }
  void unlink() {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }

  SessionLink* prev = this;
  SessionLink* next = this;
  Session* const session;
};

/// A queue of sessions, each at most once. Owns none.
class SessionList {
 public:
  bool empty() const { return !head_.linked(); }
  Session* front() const { return head_.next->session; }
  /// From wherever it stood.
  void push_back(SessionLink& link) {
    link.unlink();
    link.prev = head_.prev;
    link.next = &head_;
    head_.prev->next = &link;
    head_.prev = &link;
  }
  Session* pop_front() {
    SessionLink* first = head_.next;
    first->unlink();
    return first->session;
  }
  /// Moves all of `other` behind these.
  void append(SessionList& other) {
    while (!other.empty()) push_back(*other.head_.next);
  }

 private:
  SessionLink head_{nullptr};
};

}  // namespace sluice::l7::tls
