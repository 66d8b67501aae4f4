// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "mgmt/compile/compile.h"
#include "mgmt/config/json.h"
#include "mgmt/config/validate.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt {
namespace {

using config::Config;

/// `n` rules over n/10 hosts, ten paths a host.
Config with_rules(int n) {
  Config c = test::sample();
  c.rules.clear();
  for (int i = 0; i < n; ++i) {
    config::Rule r;
    r.id = "rule-" + std::to_string(i);
    r.listener = "web";
    r.hosts = {{"host" + std::to_string(i / 10) + ".example", "one"}};
    r.paths = {{i % 2 == 0 ? "prefix" : "exact", "/path/" + std::to_string(i % 10), false}};
    r.action = config::ForwardAction{{{"api", 100}}};
    c.rules.emplace(r.id, std::move(r));
  }
  return c;
}

/// Of this thread on a processor: what other programs do does not count.
double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Seconds from the document's text to a snapshot.
double seconds_for(int n) {
  const std::string text = config::to_json(with_rules(n), config::Secrets::kShow).dump();
  const double start = cpu_seconds();
  auto parsed = config::config_from_json(config::json_from_text(text).value);
  EXPECT_TRUE(parsed.ok());
  EXPECT_TRUE(config::validate(parsed.value).empty());
  compile::Slots slots;
  const auto out =
      compile::compile({std::make_shared<const Config>(std::move(parsed.value)), nullptr, nullptr, 1}, slots);
  EXPECT_NE(out.program, nullptr);
  const auto snapshot = compile::make_snapshot(*out.program, 1);
  EXPECT_EQ(snapshot->listeners.size(), 2u);
  return cpu_seconds() - start;
}

TEST(Scale, ten_times_the_rules_take_about_ten_times_as_long) {
  // The best of three each, so that a busy machine does not decide. Quadratic would be 100.
  double small = 1e9, large = 1e9;
  for (int i = 0; i < 3; ++i) small = std::min(small, seconds_for(1000));
  for (int i = 0; i < 3; ++i) large = std::min(large, seconds_for(10000));
  EXPECT_LT(large / small, 35);
}

TEST(Scale, a_hundred_thousand_rules_compile_and_one_more_keeps_the_others) {
  Config c = with_rules(100000);
  compile::Slots slots;
  const double start = cpu_seconds();
  const auto first = compile::compile({std::make_shared<const Config>(c), nullptr, nullptr, 1}, slots);
  RecordProperty("seconds",
                 std::to_string(cpu_seconds() - start));  // For people; the target holds on a quiet machine.
  ASSERT_NE(first.program, nullptr);
  c.rules["rule-7"].priority = 1;
  const auto second =
      compile::compile({std::make_shared<const Config>(c), first.program.get(), nullptr, 1}, slots);
  ASSERT_NE(second.program, nullptr);
  std::size_t kept = 0;
  for (const auto& [id, rule] : second.program->rules) kept += rule == first.program->rules.at(id) ? 1 : 0;
  EXPECT_EQ(kept, 99999u);
  EXPECT_EQ(second.program->listeners.at("secure").listener, first.program->listeners.at("secure").listener);
}

}  // namespace
}  // namespace sluice::mgmt
