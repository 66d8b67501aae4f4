// SPDX-License-Identifier: Apache-2.0
// How long matching and compiling take, by kind of rule and number of rules: meson test --benchmark route
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "l7/route/path.h"
#include "l7/route/router.h"

namespace sluice::l7::route {
namespace {

constexpr int kRulesPerHost = 100;

std::string host_name(std::int64_t i) {
  return "host-" + std::to_string(i / kRulesPerHost) + ".shop.example";
}

/// About 40 characters, as in the wild: a shared beginning and a different end.
std::string path_of(std::int64_t i) {
  return "/api/v" + std::to_string(i % 3) + "/tenants/" + std::to_string(i % 17) + "/resources/item-" +
         std::to_string(i);
}

std::shared_ptr<const Rule> make_rule(std::int64_t i, PathKind kind, bool one_host) {
  Rule r;
  r.id = std::to_string(i);
  r.hosts = {{HostKind::kExact, one_host ? "www.shop.example" : host_name(i)}};
  r.paths = {{kind, kind == PathKind::kRegex ? path_of(i) + "/[0-9]+/.*\\.html" : path_of(i), false}};
  return std::make_shared<const Rule>(std::move(r));
}

std::vector<std::shared_ptr<const Rule>> make_rules(std::int64_t n, PathKind kind, bool one_host) {
  std::vector<std::shared_ptr<const Rule>> rules;
  for (std::int64_t i = 0; i < n; ++i) rules.push_back(make_rule(i, kind, one_host));
  return rules;
}

/// Requests for rules all over the set, so that caches help no more than they would in service.
void match(benchmark::State& state, PathKind kind, bool one_host) {
  std::vector<RuleError> errors;
  const auto router =
      Router::compile(make_rules(state.range(0), kind, one_host), Order::kSpecific, nullptr, errors);
  Scratch scratch;
  if (!errors.empty() || !router->prepare(scratch)) return state.SkipWithError("does not compile");
  std::mt19937_64 random(1);
  struct Target {
    std::string host, path;
  };
  std::vector<Target> targets;
  for (int n = 0; n < 4096; ++n) {
    const auto i = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(state.range(0)));
    targets.push_back({one_host ? "www.shop.example" : host_name(i),
                       path_of(i) + (kind == PathKind::kRegex ? "/17/page.html" : "")});
  }
  std::size_t next = 0, missed = 0;
  for (auto _ : state) {
    const Target& t = targets[next++ % targets.size()];
    missed += router->match({t.host, t.path, {}, "GET", nullptr, {}}, scratch) == nullptr;
  }
  if (missed != 0) state.SkipWithError("a rule was not found");
}

void compile(benchmark::State& state, PathKind kind) {
  const auto rules = make_rules(state.range(0), kind, false);
  for (auto _ : state) {
    std::vector<RuleError> errors;
    benchmark::DoNotOptimize(Router::compile(rules, Order::kSpecific, nullptr, errors));
  }
}

void normalise(benchmark::State& state, std::string_view path) {
  std::array<char, kMaxPath> buffer;
  for (auto _ : state) benchmark::DoNotOptimize(normalise_path(path, buffer));
}

BENCHMARK_CAPTURE(match, exact, PathKind::kExact, false)->Arg(1000)->Arg(100000);
BENCHMARK_CAPTURE(match, prefix, PathKind::kPrefix, false)->Arg(1000)->Arg(100000);
BENCHMARK_CAPTURE(match, string_prefix, PathKind::kStringPrefix, false)->Arg(1000)->Arg(100000);
BENCHMARK_CAPTURE(match, exact_one_host, PathKind::kExact, true)->Arg(100000);
BENCHMARK_CAPTURE(match, prefix_one_host, PathKind::kPrefix, true)->Arg(100000);
BENCHMARK_CAPTURE(match, string_prefix_one_host, PathKind::kStringPrefix, true)->Arg(100000);
BENCHMARK_CAPTURE(match, regex_one_host, PathKind::kRegex, true)->Arg(10)->Arg(100);
BENCHMARK_CAPTURE(compile, exact, PathKind::kExact)->Arg(100000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compile, prefix, PathKind::kPrefix)->Arg(100000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compile, string_prefix, PathKind::kStringPrefix)
    ->Arg(100000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(normalise, plain, "/api/v1/tenants/17/resources/item-4711");
BENCHMARK_CAPTURE(normalise, encoded, "/api/v1/%74enants/17/./resources/item%2D4711");

}  // namespace
}  // namespace sluice::l7::route

BENCHMARK_MAIN();
