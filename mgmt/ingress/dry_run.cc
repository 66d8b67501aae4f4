// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/dry_run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/model/describe.h"
#include "mgmt/ingress/model/read_cluster.h"
#include "mgmt/ingress/wall_clock.h"
#include "mgmt/ingress/watched_cluster.h"
#include "mgmt/ingress/yaml.h"

namespace sluice::mgmt::ingress {
namespace {

namespace fs = std::filesystem;

/// Without --appliance: as if there were one, to show what it would hold.
Options options_of(const Settings& settings) {
  Options out = settings.options;
  if (out.appliances.empty()) out.appliances.emplace_back("--appliance");
  return out;
}

/// As for appliances that are empty.
Plan plan_for(const Cluster& cluster, const Options& options) {
  const Assignment assignment = assign_appliances(cluster, options);
  std::set<std::string> urls = all_appliances(assignment);
  if (urls.empty()) urls.insert(options.appliances.begin(), options.appliances.end());
  return make_plan(cluster, assignment, find_fleets(assignment, urls), options);
}

void print(const Cluster& cluster, const Settings& settings) {
  const Options options = options_of(settings);
  const std::string text =
      describe(plan_for(cluster, options), options).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

std::vector<fs::path> files_in(const std::string& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return {folder};
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    const auto suffix = entry.path().extension();
    if (suffix == ".yaml" || suffix == ".yml" || suffix == ".json") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

int from_folder(const Settings& settings, const std::string& folder) {
  Cluster cluster;
  for (const fs::path& file : files_in(folder)) {
    std::ifstream in(file, std::ios::binary);
    auto documents = json_from_yaml(std::string(std::istreambuf_iterator<char>(in), {}));
    if (!in || !documents) {
      std::fprintf(stderr, "%s: %s\n", file.c_str(),
                   !in ? "cannot be read" : documents.error().message.c_str());
      return 1;
    }
    for (const auto& document : *documents) add_object(document, unix_seconds_now(), cluster);
  }
  print(cluster, settings);
  return 0;
}

int from_cluster(const Settings& settings) {
  HttpLoop loop;
  WatchedCluster watched(loop, settings.api_server, settings.watch_namespace,
                         {[] {}, [] {}, [](const ObjectKey&) {}});
  watched.start();
  const auto end = HttpLoop::Clock::now() + std::chrono::seconds(60);
  const auto wait_for = [&](auto condition) {
    while (!condition() && HttpLoop::Clock::now() < end) loop.poll(std::chrono::milliseconds(100));
    return condition();
  };
  if (!wait_for([&] { return watched.listed(); })) {
    std::fprintf(stderr, "the API server could not be read within 60 s\n");
    return 1;
  }
  watched.name_secrets(plan_for(watched.cluster(), options_of(settings)).secrets);
  wait_for([&] { return watched.secrets_settled(); });
  print(watched.cluster(), settings);
  return 0;
}

}  // namespace

int dry_run(const Settings& settings, const std::string& folder) {
  return folder.empty() ? from_cluster(settings) : from_folder(settings, folder);
}

}  // namespace sluice::mgmt::ingress
