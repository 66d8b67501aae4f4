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

class Cases : public testing::TestWithParam<std::string> {};

TEST_P(Cases, translates_as_expected) {
  auto documents = json_from_yaml(read_file(kCases / (GetParam() + ".yaml")));
  ASSERT_TRUE(documents.ok()) << documents.error().message;
  Cluster cluster;
  Options options;
  ResolvedNames names;
  std::vector<config::Config> states;
  for (const json& one : *documents) {
    if (one.is_object() &&
        one.value("kind", "") == "Appliance") {  // "state": a whole config, as GET /config shows it
      auto state = config::config_from_json(one["state"]);
      ASSERT_TRUE(state.ok()) << state.errors[0].path << " " << state.errors[0].message;
      states.push_back(std::move(state.value));
    } else if (one.is_object() && one.value("kind", "") == "Options") {
      options.without_class = one.value("without_class", false);
      options.external_names = one.value("external_names", false);
    } else if (one.is_object() && one.value("kind", "") == "Names") {  // what the DNS says
      names = one["addresses"].get<ResolvedNames>();
    } else {
      add_object(one, kNow, cluster);
    }
  }
  std::vector<const config::Config*> appliances;
  for (const auto& s : states) appliances.push_back(&s);
  const Translation got = translate(cluster, appliances, options, names);

  // Whatever the objects say, what comes out is what an appliance takes.
  config::Config whole = appliances.empty() ? config::Config{} : *appliances[0];
  for (const std::string& id : got.taken_over) {
    whole.listeners.erase(id);
    std::erase_if(whole.rules, [&](const auto& r) { return r.second.listener == id; });
  }
  config::Config model = got.model;
  whole.access_control_lists.merge(model.access_control_lists);
  whole.load_balancers.merge(model.load_balancers);
  whole.listeners.merge(model.listeners);
  whole.rules.merge(model.rules);
  whole.server_groups.merge(model.server_groups);
  whole.certificates.merge(model.certificates);
  for (const auto& e : config::validate(whole)) ADD_FAILURE() << e.path << " " << e.message;

  const json described = describe(got, options);
  const auto expected = kCases / (GetParam() + ".json");
  if (std::getenv("SLUICE_UPDATE_CASES") != nullptr) std::ofstream(expected) << described.dump(1) << "\n";
  const json wanted = json::parse(read_file(expected), nullptr, false);
  EXPECT_EQ(described, wanted) << described.dump(1) << "\n" << json::diff(wanted, described).dump(1);
}

INSTANTIATE_TEST_SUITE_P(Translate, Cases, testing::ValuesIn(case_names()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace sluice::mgmt::ingress::test
