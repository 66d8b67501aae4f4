// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace sluice {

/// A number with one writer (its worker) and any readers. Never reset. Plain loads and stores on x86.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  /// For gauges (connections open now).
  void sub(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  /// For gauges that are known as a whole.
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Where counters are shown. Each struct of counters has `void visit(MetricSink&, std::string_view labels) const`
/// that names its members; this is the one way to add a metric. Names follow Prometheus: `sluice_..._total`
/// for counters. `labels` is a ready list such as `worker="0",reason="no_route"`, without braces.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void counter(std::string_view name, std::string_view help, std::string_view labels,
                       std::uint64_t value) = 0;
  virtual void gauge(std::string_view name, std::string_view help, std::string_view labels, double value) = 0;
};

}  // namespace sluice
