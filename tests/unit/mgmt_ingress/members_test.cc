// SPDX-License-Identifier: Apache-2.0
// Members found for a Service alone are those that a whole translation finds: over all cases, with each slice
// of them changed in turn.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mgmt/ingress/model/backends.h"
#include "mgmt/ingress/model/read_cluster.h"
#include "mgmt/ingress/yaml.h"

namespace sluice::mgmt::ingress::test {
namespace {

const std::filesystem::path kCases =
    std::filesystem::path(SLUICE_SOURCE_ROOT) / "tests/unit/mgmt_ingress/cases";

Cluster read_case(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  auto documents = json_from_yaml(text.str());
  Cluster out;
  EXPECT_TRUE(documents.ok()) << file;
  if (!documents.ok()) return out;
  for (const auto& one : *documents) add_object(one, 1'700'000'000, out);
  return out;
}

/// For one fleet that serves every class.
Translation translated(const Cluster& cluster) {
  Fleet fleet;
  for (const auto& [name, appliances] : assign_appliances(cluster, {}).classes) fleet.classes.insert(name);
  return translate(cluster, fleet, {});
}

/// How often the short way could tell.
int compare_after(const Cluster& before, const Cluster& after, const ObjectKey& service) {
  const Translation was = translated(before), is = translated(after);
  const auto found = Backends::members_now(after, service, was);
  if (!found) return 0;
  EXPECT_EQ(was.notices, is.notices) << "a notice that the short way would miss";
  config::Config patched = was.model;
  for (const auto& [id, members] : *found) patched.server_groups.at(id).members = members;
  EXPECT_EQ(patched, is.model);
  return found->empty() ? 0 : 1;
}

TEST(MembersNow, AreThoseOfAWholeTranslation) {
  int told = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().string());
    const Cluster before = read_case(entry.path());
    for (const auto& [service, slices] : before.slices) {
      for (const auto& [name, slice] : slices) {
        Cluster gone = before, emptied = before, moved = before, draining = before;
        gone.slices.at(service).erase(name);
        emptied.slices.at(service).at(name).endpoints.clear();
        for (auto& e : moved.slices.at(service).at(name).endpoints)
          e.addresses = {"192.0.2.77", "2001:db8::77"};
        for (auto& e : draining.slices.at(service).at(name).endpoints) e.ready = false, e.terminating = true;
        for (const Cluster* after : {&before, &std::as_const(gone), &std::as_const(emptied),
                                     &std::as_const(moved), &std::as_const(draining)})
          told += compare_after(before, *after, service);
      }
    }
  }
  EXPECT_GT(told, 50);
}

TEST(MembersNow, LeavesWhatIsWrongToAWholeTranslation) {
  const Cluster before = read_case(kCases / "one_rule.yaml");
  ASSERT_FALSE(before.slices.empty());
  const ObjectKey service = before.slices.begin()->first;
  Cluster wrong = before;
  wrong.slices.at(service).begin()->second.endpoints.push_back({{"no address"}, true, true, false});
  EXPECT_FALSE(Backends::members_now(wrong, service, translated(before)));
  EXPECT_FALSE(Backends::members_now(before, service, translated(wrong)));
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
