// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "l4/tcp/socket.h"

namespace sluice::l4::tcp {

/// Half-open connections of one listener endpoint, by age. When max_backlog is reached the oldest is dropped
/// for the new one: in a flood a real client completes within a round trip, while refusing the new would shut
/// it out for as long as the flood's own entries live.
class Backlog {
 public:
  std::size_t size() const { return size_; }
  Socket* oldest() const { return oldest_; }

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
  Socket *oldest_ = nullptr, *newest_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sluice::l4::tcp
