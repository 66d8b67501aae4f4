// SPDX-License-Identifier: Apache-2.0
// Counts what operator new gives out, apart from the tests so that the compiler does not pair it with the
// library's delete.
#include <cstdint>
#include <cstdlib>
#include <new>

namespace sluice::l7::proxy::test {
namespace {
thread_local std::uint64_t g_allocations = 0;  // NOLINT: that is what it is for
}
std::uint64_t allocations() { return g_allocations; }
void count_allocation() { ++g_allocations; }
}  // namespace sluice::l7::proxy::test

void* operator new(std::size_t n) {
  sluice::l7::proxy::test::count_allocation();
  if (void* p = std::malloc(n)) return p;
  std::abort();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  sluice::l7::proxy::test::count_allocation();
  return std::malloc(n);
}
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
