// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sanitizer/asan_interface.h>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace sluice {

/// Fixed-size objects of one worker, from slabs. `create` takes a free place in O(1) and allocates a new slab only
/// when the pool grows past what it ever held (up to `limit`); memory is kept for reuse until the pool goes. All
/// objects must be destroyed before the pool. Under AddressSanitizer an object that was destroyed, or never was, must
/// not be touched.
template <class T>
class ObjectPool {
 public:
  explicit ObjectPool(std::size_t limit, std::size_t slab = 256) : limit_(limit), slab_(slab) {}
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;

  /// Null when `limit` objects are alive.
  template <class... Args>
  T* create(Args&&... args) {
    if (free_ == nullptr && !grow()) return nullptr;
    ASAN_UNPOISON_MEMORY_REGION(free_, sizeof(Place));
    Place* p = std::exchange(free_, free_->next);
    ++live_;
    return new (p->bytes) T(std::forward<Args>(args)...);
  }
  void destroy(T* object) {
    object->~T();
    put_free(*reinterpret_cast<Place*>(object));
    --live_;
  }
  std::size_t live() const { return live_; }
  std::size_t limit() const { return limit_; }

 private:
  union Place {
    Place() {}
    Place* next;
    alignas(T) std::byte bytes[sizeof(T)];
  };
  bool grow() {
    const std::size_t room = limit_ - capacity_;
    if (room == 0) return false;
    const std::size_t n = room < slab_ ? room : slab_;
    slabs_.push_back(std::make_unique<Place[]>(n));
    for (std::size_t i = n; i-- > 0;) put_free(slabs_.back()[i]);
    capacity_ += n;
    return true;
  }
  void put_free(Place& p) {
    p.next = std::exchange(free_, &p);
    ASAN_POISON_MEMORY_REGION(&p, sizeof(Place));
  }
  std::vector<std::unique_ptr<Place[]>> slabs_;
  Place* free_ = nullptr;
  std::size_t live_ = 0, capacity_ = 0;
  const std::size_t limit_, slab_;
};

}  // namespace sluice
