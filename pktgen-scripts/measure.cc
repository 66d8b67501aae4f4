// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/measure.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

namespace sluice::pktgen {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// Failures that no load excuses: find-rate, too, ends with them.
bool is_fatal(const Results& r) {
  for (const Failure f : {Failure::kStatus, Failure::kHead, Failure::kBody, Failure::kBackend, Failure::kTls,
                          Failure::kRefused}) {
    if (r.failures[static_cast<std::size_t>(f)].get() > 0) return true;
  }
  return false;
}

/// Of a window that was left.
Status verdict(const Results& r) {
  if (r.failed() == 0) return Ok{};
  std::string kinds;
  for (std::size_t i = 0; i < r.failures.size(); ++i) {
    if (const auto n = r.failures[i].get(); n > 0) {
      kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", n, to_string(static_cast<Failure>(i)));
    }
  }
  return Error{fmt::format("failed ({}); the first: {}", kinds, r.first_failure)};
}

class Run {
 public:
  Run(Engine& engine, const Options& options, const Shape& shape)
      : engine_(engine), options_(options), shape_(shape) {}
  Result<Measurement> run();

 private:
  Status prepare();
  Status open_all(Window& w);
  Status pause(Window& w, double seconds, bool stop_at_failure);
  Status settle();
  Status finish();
  Result<Measurement> steady();
  Result<Measurement> idle();
  Result<Measurement> find_rate();
  Result<Measurement> window(const Load& load, double seconds, Window*& out);
  Result<bool> holds(double rate, Measurement& out);
  Status await(Window& w, Duration limit, const std::string& what, const std::function<bool()>& reached);
  void progress(const Window& w);

  Load load(double rate) const { return {.clients = shape_.connections, .rate = rate}; }
  Load pause_load() const { return {.clients = shape_.connections, .operations = 0}; }

  Engine& engine_;
  const Options& options_;
  const Shape& shape_;
  std::optional<Appliance> appliance_;
  SteadyClock::time_point next_progress_ = SteadyClock::now() + 1s;
  std::uint64_t shown_ = 0;
  std::size_t probes_ = 0;  // windows of attempts that found nobody
  const Window* shown_of_ = nullptr;
};

void Run::progress(const Window& w) {
  if (SteadyClock::now() < next_progress_) return;
  next_progress_ += 1s;
  const Results& r = w.results;
  const bool idle = shape_.kind == Shape::Kind::kIdle;  // opened in one window, asked in another
  const std::uint64_t done = r.operations.get() + (idle ? r.opened.get() : 0);
  if (shown_of_ != &w) shown_ = 0;
  shown_of_ = &w;
  const Engine::Gauges g = engine_.gauges();
  fmt::print(stderr, "{:>10} {} a second  {:>8} connections  {:>6} outstanding  {} failed\n",
             done - std::min(shown_, done), shape_.unit(), g.connections, g.outstanding, r.failed());
  shown_ = done;
}

/// Waits in a window until something is reached. Failures and silence end it.
Status Run::await(Window& w, Duration limit, const std::string& what, const std::function<bool()>& reached) {
  auto moved_at = SteadyClock::now();
  std::uint64_t moved = 0;
  while (!reached()) {
    if (w.results.failed() > 0) {
      engine_.enter(pause_load());
      return verdict(w.results);
    }
    const std::uint64_t now = w.results.operations.get() + w.results.opened.get();
    if (now != moved) moved_at = SteadyClock::now();
    moved = now;
    if (SteadyClock::now() - moved_at > limit)
      return Error{what + " within " + fmt::format("{} s", limit / 1s)};
    std::this_thread::sleep_for(1ms);
    progress(w);
  }
  return Ok{};
}

Status Run::open_all(Window& w) {
  if (shape_.connection_each()) return Ok{};
  return await(w, shape_.timeout + 5s, fmt::format("{} connections did not open", shape_.connections),
               [&] { return engine_.gauges().connections >= shape_.connections; });
}

/// One operation of one client: does anybody answer, and as the shape expects? Asked again where the way was
/// not open yet: the appliance looks at its links once a second.
Status Run::prepare() {
  constexpr unsigned kAttempts = 3;
  const bool idle = shape_.kind == Shape::Kind::kIdle;
  for (unsigned attempt = 1;; ++attempt) {
    Window& w = engine_.enter({.clients = 1, .operations = idle ? 0u : 1u});
    const auto done = [&] { return (idle ? w.results.opened.get() : w.results.operations.get()) > 0; };
    Status s = await(w, shape_.timeout + 5s, "no answer from " + options_.target.to_string(), done);
    const bool way_closed = w.results.failures[static_cast<std::size_t>(Failure::kUnreachable)].get() > 0;
    if (s || !way_closed || attempt == kAttempts) return s;
    probes_ = engine_.windows().size();
  }
}

Status Run::pause(Window& w, double seconds, bool stop_at_failure) {
  const auto end = SteadyClock::now() +
                   std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
  while (SteadyClock::now() < end) {
    std::this_thread::sleep_for(std::min<SteadyClock::duration>(20ms, end - SteadyClock::now()));
    progress(w);
    if (w.results.failed() > 0 && stop_at_failure) {
      engine_.enter(pause_load());
      return verdict(w.results);
    }
  }
  return Ok{};
}

/// Nothing new starts; what runs ends.
Status Run::settle() {
  Window& w = engine_.enter(pause_load());
  Status s = await(w, shape_.timeout + 5s, "operations did not end",
                   [&] { return engine_.gauges().outstanding == 0; });
  engine_.enter(pause_load());
  return s ? verdict(w.results) : s;
}

Result<Measurement> Run::window(const Load& load, double seconds, Window*& out) {
  Measurement m;
  const auto before = counters_of(appliance_);
  if (!before) return before.error();
  const std::uint64_t dropped = engine_.dropped();
  const Engine::Cycles cycles = engine_.cycles();
  Window& w = engine_.enter(load);
  out = &w;
  if (Status s = pause(w, seconds, !options_.find_rate); !s) return s.error();
  const Engine::Cycles then = engine_.cycles();
  const auto spent = spent_since(appliance_, *before);
  if (!spent) return spent.error();
  m.appliance = *spent;
  m.connections = engine_.gauges().connections;
  engine_.enter(pause_load());
  const Results& r = w.results;
  m.seconds = std::chrono::duration<double>(r.length()).count();
  m.count = r.operations.get();
  m.bytes = r.bytes.get();
  m.latency = r.latency;
  m.offered = load.rate;
  m.behind = r.behind;
  m.dropped = engine_.dropped() - dropped;
  m.busy_share = then.all == cycles.all ? 0
                                        : static_cast<double>(then.busy - cycles.busy) /
                                              static_cast<double>(then.all - cycles.all);
  return m;
}

Result<Measurement> Run::steady() {
  const auto rate = static_cast<double>(shape_.rate);
  Window& warm = engine_.enter(load(rate));
  if (Status s = open_all(warm); !s) return s.error();
  if (Status s = pause(warm, options_.warmup, true); !s) return s.error();
  Window* w = nullptr;
  auto m = window(load(rate), options_.seconds, w);
  if (!m) return m;
  if (Status s = verdict(w->results); !s) return s.error();
  if (m->count == 0) return Error{fmt::format("no {} completed in {:.1f} s", shape_.unit(), m->seconds)};
  return m;
}

/// The measured window is the opening; then they are held, and asked.
Result<Measurement> Run::idle() {
  Measurement m;
  const auto before = counters_of(appliance_);
  if (!before) return before.error();
  Window& opening = engine_.enter(pause_load());
  if (Status s = open_all(opening); !s) return s.error();
  Window& held = engine_.enter(pause_load());
  m.seconds = std::chrono::duration<double>(opening.results.length()).count();
  m.count = opening.results.opened.get() + 1;  // with the probe's
  m.bytes = opening.results.bytes.get();
  if (Status s = pause(held, options_.seconds, true); !s) return s.error();
  const auto spent = spent_since(appliance_, *before);
  if (!spent) return spent.error();
  m.appliance = *spent;
  m.connections = engine_.gauges().connections;
  Window& asked = engine_.enter({.clients = shape_.connections, .operations = shape_.connections});
  const auto all = [&] { return asked.results.operations.get() >= shape_.connections; };
  if (Status s = await(asked, shape_.timeout + 5s, "some of the idle connections did not answer", all); !s)
    return s.error();
  engine_.enter(pause_load());
  m.latency = asked.results.latency;
  return m;
}

/// Whether the appliance keeps up with this rate. An error when what it answers is wrong.
Result<bool> Run::holds(double rate, Measurement& out) {
  Window& warm = engine_.enter(load(rate));
  if (Status s = pause(warm, 0.2, false); !s) return s.error();
  Window* w = nullptr;
  auto m = window(load(rate), options_.seconds, w);
  if (!m) return m.error();
  if (is_fatal(w->results) || is_fatal(warm.results))
    return Error{verdict(is_fatal(w->results) ? w->results : warm.results).error()};
  const double due = rate * m->seconds;
  const bool good =
      w->results.failed() == 0 && m->latency.count() > 0 &&
      m->latency.percentile(99) <= std::chrono::duration<double, std::milli>(options_.late_ms) &&
      static_cast<double>(m->behind) <= options_.late_share * due + 1;
  fmt::print(stderr, "{:>10.0f} {} a second: {} (p99 {:.0f} us, {} not started, {} failed)\n", rate,
             shape_.unit(), good ? "holds" : "too much",
             static_cast<double>(m->latency.percentile(99).count()) / 1000, m->behind, w->results.failed());
  if (Status s = settle(); !s && good)
    return s.error();  // what overload broke is the verdict on that rate alone
  if (good) out = std::move(*m);
  return good;
}

/// Bisects below what a closed loop reaches, which no schedule beats.
Result<Measurement> Run::find_rate() {
  constexpr unsigned kSteps = 7;
  Window& warm = engine_.enter(load(0));
  if (Status s = open_all(warm); !s) return s.error();
  if (Status s = pause(warm, options_.warmup, true); !s) return s.error();
  Window* w = nullptr;
  auto closed = window(load(0), options_.seconds, w);
  if (!closed) return closed;
  if (Status s = verdict(w->results); !s) return s.error();
  if (Status s = settle(); !s) return s.error();
  double low = 0, high = closed->rate() * 1.05;
  if (high <= 0) return Error{fmt::format("no {} completed", shape_.unit())};
  Measurement best;
  double next = high;
  for (unsigned step = 0; step < kSteps; ++step) {
    auto good = holds(next, best);
    if (!good) return good.error();
    (*good ? low : high) = next;
    if (low >= high) break;
    next = (low + high) / 2;
  }
  if (low == 0) {
    return Error{fmt::format("no rate from {:.0f} {} a second up holds (p99 below {} ms)", high,
                             shape_.unit(), options_.late_ms)};
  }
  best.highest_rate = low;
  return best;
}

Status Run::finish() {
  if (Status s = settle(); !s) return s;
  if (!engine_.stop())
    return Error{fmt::format("{} connections did not end in good order", engine_.gauges().connections)};
  return Ok{};
}

Result<Measurement> Run::run() {
  if (!options_.appliance.empty()) {
    auto at = Appliance::at(options_.appliance, options_.token_file);
    if (!at) return at.error();
    if (auto counters = at->read(); !counters) return counters.error();
    appliance_ = std::move(*at);
  }
  if (Status s = prepare(); !s) return s.error();
  auto m = shape_.kind == Shape::Kind::kIdle ? idle() : options_.find_rate ? find_rate() : steady();
  if (!m) return m;
  if (Status s = finish(); !s) return s.error();
  for (std::size_t i = probes_; i < engine_.windows().size(); ++i) {
    const Window& w = engine_.windows()[i];
    m->whole_run.operations += w.results.operations.get();
    m->whole_run.opened += w.results.opened.get();
    m->whole_run.answered += w.results.answered.get();
    if (options_.find_rate ? is_fatal(w.results) : w.results.failed() > 0) return verdict(w.results).error();
  }
  return m;
}

}  // namespace

Result<Measurement> measure(Engine& engine, const Options& options, const Shape& shape) {
  return Run(engine, options, shape).run();
}

}  // namespace sluice::pktgen
