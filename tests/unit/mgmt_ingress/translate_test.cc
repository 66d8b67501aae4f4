// SPDX-License-Identifier: Apache-2.0
// Each pair cases/NAME.yaml, cases/NAME.json is one behaviour: cluster and appliances in, description out.
// The first line of the YAML says what must hold. SLUICE_UPDATE_CASES=1 writes the JSON anew, for review.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mgmt/config/json.h"
#include "mgmt/config/validate.h"
#include "mgmt/ingress/model/describe.h"
#include "mgmt/ingress/model/read_cluster.h"
#include "mgmt/ingress/yaml.h"

namespace sluice::mgmt::ingress::test {
namespace {

using nlohmann::json;

constexpr std::int64_t kNow = 1'700'000'000;
const std::filesystem::path kCases =
    std::filesystem::path(SLUICE_SOURCE_ROOT) / "tests/unit/mgmt_ingress/cases";

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> case_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// What a case says, besides the objects of a cluster.
struct Case {
  Cluster cluster;
  Options options{.appliances = {"https://appliance.example"}};
  ResolvedNames names;
  std::vector<std::pair<std::string, config::Config>> states;  ///< By URL.

  void add(const json& one) {
    const std::string kind = one.is_object() ? one.value("kind", "") : "";
    if (kind == "Appliance") {  // "state": a whole config, as GET /config shows it
      auto state = config::config_from_json(one["state"]);
      ASSERT_TRUE(state.ok()) << state.errors[0].path << " " << state.errors[0].message;
      states.emplace_back(one.value("url", options.appliances.front()), std::move(state.value));
    } else if (kind == "Options") {
      options.without_class = one.value("without_class", false);
      options.external_names = one.value("external_names", false);
      options.appliances = one.value("appliances", options.appliances);
    } else if (kind == "Names") {  // what the DNS says
      names = one["addresses"].get<ResolvedNames>();
    } else {
      add_object(one, kNow, cluster);
    }
  }

  Plan plan() const {
    const Assignment assignment = assign_appliances(cluster, options);
    std::set<std::string> urls = all_appliances(assignment);
    urls.insert(options.appliances.begin(), options.appliances.end());
    for (const auto& [url, state] : states) urls.insert(url);
    auto fleets = find_fleets(assignment, urls);
    for (Fleet& fleet : fleets) {
      for (const auto& [url, state] : states) {
        if (fleet.appliances.contains(url)) fleet.states.push_back(&state);
      }
    }
    return make_plan(cluster, assignment, std::move(fleets), options, names);
  }
};

/// Whatever the objects say, what comes out is what an appliance takes.
void expect_valid(const Plan::Part& part) {
  config::Config whole = part.fleet.states.empty() ? config::Config{} : *part.fleet.states[0];
  for (const std::string& id : part.translation.taken_over) {
    whole.listeners.erase(id);
    std::erase_if(whole.rules, [&](const auto& r) { return r.second.listener == id; });
  }
  config::Config model = part.translation.model;
  whole.access_control_lists.merge(model.access_control_lists);
  whole.load_balancers.merge(model.load_balancers);
  whole.listeners.merge(model.listeners);
  whole.rules.merge(model.rules);
  whole.server_groups.merge(model.server_groups);
  whole.certificates.merge(model.certificates);
  for (const auto& e : config::validate(whole)) ADD_FAILURE() << e.path << " " << e.message;
}

class Cases : public testing::TestWithParam<std::string> {};

TEST_P(Cases, translates_as_expected) {
  auto documents = json_from_yaml(read_file(kCases / (GetParam() + ".yaml")));
  ASSERT_TRUE(documents.ok()) << documents.error().message;
  Case given;
  for (const json& one : *documents) given.add(one);
  const Plan plan = given.plan();
  for (const Plan::Part& part : plan.parts) expect_valid(part);

  const json described = describe(plan, given.options);
  const auto expected = kCases / (GetParam() + ".json");
  if (std::getenv("SLUICE_UPDATE_CASES") != nullptr) std::ofstream(expected) << described.dump(1) << "\n";
  const json wanted = json::parse(read_file(expected), nullptr, false);
  EXPECT_EQ(described, wanted) << described.dump(1) << "\n" << json::diff(wanted, described).dump(1);
}

INSTANTIATE_TEST_SUITE_P(Translate, Cases, testing::ValuesIn(case_names()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace sluice::mgmt::ingress::test
