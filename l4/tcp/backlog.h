// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "l4/tcp/linked_list.h"
#include "l4/tcp/socket.h"
#include "l4/tcp/syn_cookie.h"

namespace sluice::l4::tcp {

/// Half-open connections of one listener endpoint, by age. When max_backlog is reached SYNs are answered by
/// cookies (syn_cookie.h), and ACKs may be of those for a while.
class Backlog {
 public:
  std::size_t size() const { return size_; }
  Socket* oldest() const { return sockets_.first(); }

  void sent_cookie(Instant now) { cookies_until_ = now + kCookieLife; }
  bool cookies(Instant now) const { return now < cookies_until_; }

  void add(Socket& s) {
    s.backlog = this;
    sockets_.push_back(s);
    ++size_;
  }
  void remove(Socket& s) {
    sockets_.remove(s);
    s.backlog = nullptr;
    --size_;
  }

 private:
  Instant cookies_until_{Instant::min()};
  LinkedList<Socket, &Socket::by_age> sockets_;
  std::size_t size_ = 0;
};

}  // namespace sluice::l4::tcp
