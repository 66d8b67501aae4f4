// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "l4/tcp/socket.h"
#include "l4/tcp/syn_cookie.h"

namespace sluice::l4::tcp {

/// Half-open connections of one listener endpoint, by age. When max_backlog is reached SYNs are answered by
/// cookies (syn_cookie.h), and ACKs may be of those for a while.
class Backlog {
 public:
  std::size_t size() const { return size_; }
  Socket* oldest() const { return oldest_; }

  void sent_cookie(Instant now) { cookies_until_ = now + kCookieLife; }
  bool cookies(Instant now) const { return now < cookies_until_; }

  void add(Socket& s) {
    s.backlog = this;
    s.older = newest_;
    s.newer = nullptr;
    (newest_ == nullptr ? oldest_ : newest_->newer) = &s;
    newest_ = &s;
    ++size_;
  }
  void remove(Socket& s) {
    (s.older == nullptr ? oldest_ : s.older->newer) = s.newer;
    (s.newer == nullptr ? newest_ : s.newer->older) = s.older;
    s.backlog = nullptr;
    --size_;
  }

 private:
  Instant cookies_until_{Instant::min()};
  Socket *oldest_ = nullptr, *newest_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sluice::l4::tcp
