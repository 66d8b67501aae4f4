// SPDX-License-Identifier: Apache-2.0
// sluice-core-distance: how far apart two cores are, as cycles (of the time stamp counter) that a cache line takes from
// one to the other and back. A hypervisor may move its virtual cores between the caches of the host at any time, and what
// packets cost that come from another core moves with it.
#include <pthread.h>
#include <sched.h>
#include <x86intrin.h>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

namespace {

constexpr std::uint32_t kTurns = 200'000;

struct alignas(128) Line {
  std::atomic<std::uint32_t> turn{0};
};

bool run_on(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

/// Waits until the other one has put `before` there, and puts `after` there.
void answer(Line& line, std::uint32_t before, std::uint32_t after) {
  while (line.turn.load(std::memory_order_acquire) != before) _mm_pause();
  line.turn.store(after, std::memory_order_release);
}

std::optional<double> round_trip(unsigned here, unsigned there) {
  if (!run_on(there) || !run_on(here)) return std::nullopt;  // known before anybody waits
  Line line;
  std::thread other([&] {
    run_on(there);
    for (std::uint32_t i = 0; i < kTurns; ++i) answer(line, 2 * i + 1, 2 * i + 2);
  });
  answer(line, 0, 1);
  const std::uint64_t begin = __rdtsc();
  for (std::uint32_t i = 1; i < kTurns; ++i) answer(line, 2 * i, 2 * i + 1);
  const std::uint64_t end = __rdtsc();
  other.join();
  return static_cast<double>(end - begin) / (kTurns - 1);
}

std::optional<unsigned> core_number(const char* word) {
  unsigned core = 0;
  const char* end = word + std::strlen(word);
  const auto [stop, error] = std::from_chars(word, end, core);
  if (error != std::errc() || stop != end || core >= CPU_SETSIZE) return std::nullopt;
  return core;
}

}  // namespace

int main(int argc, char** argv) {
  const auto here = argc == 3 ? core_number(argv[1]) : std::nullopt;
  const auto there = argc == 3 ? core_number(argv[2]) : std::nullopt;
  if (!here || !there || *here == *there) {
    std::fputs("usage: sluice-core-distance CORE ANOTHER_CORE\n", stderr);
    return 2;
  }
  const auto cycles = round_trip(*here, *there);
  if (!cycles) {
    std::fputs("sluice-core-distance: there is no such core for us\n", stderr);
    return 1;
  }
  std::printf("%.0f\n", *cycles);
  return 0;
}
