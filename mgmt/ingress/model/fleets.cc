// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/fleets.h"

#include <algorithm>
#include <tuple>

namespace sluice::mgmt::ingress {
namespace {

bool contains(const std::vector<std::string>& urls, const std::string& url) {
  return std::find(urls.begin(), urls.end(), url) != urls.end();
}

/// Parameters of our classes that name appliances, the oldest first.
std::vector<const SluiceConfig*> naming_configs(const Cluster& cluster, const Options& options) {
  std::set<const SluiceConfig*> found;
  for (const auto& [key, one] : cluster.classes) {
    const SluiceConfig* config = is_ours(one, options) ? parameters_of(one, cluster) : nullptr;
    if (config != nullptr && config->names_appliances) found.insert(config);
  }
  std::vector<const SluiceConfig*> out(found.begin(), found.end());
  std::sort(out.begin(), out.end(), [](const SluiceConfig* a, const SluiceConfig* b) {
    return std::tie(a->meta.created, a->meta.key) < std::tie(b->meta.created, b->meta.key);
  });
  return out;
}

class Assigner {
 public:
  Assigner(const Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) {}

  Assignment run() {
    for (const SluiceConfig* config : naming_configs(cluster_, options_)) {
      auto& urls = named_[config];
      for (const NamedAppliance& a : config->appliances) {
        if (add(*config, a)) urls.push_back(a.url);
      }
    }
    for (const auto& [key, one] : cluster_.classes) {
      if (is_ours(one, options_)) out_.classes[key.name] = appliances_of(parameters_of(one, cluster_));
    }
    if (options_.without_class) out_.classes[""] = options_.appliances;
    look_at_secrets();
    out_.notices = notices_.take();
    return std::move(out_);
  }

 private:
  const std::vector<std::string>& appliances_of(const SluiceConfig* config) const {
    return config != nullptr && config->names_appliances ? named_.at(config) : options_.appliances;
  }

  /// Whether it can be reached at all.
  bool add(const SluiceConfig& config, const NamedAppliance& a) {
    const ObjectKey& me = config.meta.key;
    const ObjectKey secret{a.secret.ns.empty() ? options_.own_namespace : a.secret.ns, a.secret.name};
    const bool given = !secret.name.empty();
    if (contains(options_.appliances, a.url)) {
      if (given)
        notices_.warn_of_parameters(me, "Conflict",
                                    "Appliance " + a.url + " is opened as the command line says; Secret " +
                                        secret.text() + " is not used.");
      return true;
    }
    if (!given) {
      notices_.warn_of_parameters(me, "InvalidParameters",
                                  "Appliance " + a.url + " has no credentialsSecret and is none of the command line's; "
                                  "it is left out.");
      return false;
    }
    const auto [entry, first] = out_.secrets.try_emplace(a.url, secret);
    const SluiceConfig* speaker = speakers_.try_emplace(a.url, &config).first->second;
    if (!first && entry->second != secret)
      notices_.warn_of_parameters(me, "Conflict",
                                  "Appliance " + a.url + " is opened by Secret " + entry->second.text() +
                                      " of the older SluiceConfig " + speaker->meta.key.text() + "; Secret " +
                                      secret.text() + " is not used.");
    return true;
  }

  void look_at_secrets() {
    for (const auto& [url, secret] : out_.secrets) {
      const auto found = cluster_.appliance_secrets.find(secret);
      if (found == cluster_.appliance_secrets.end() || found->second.problem.empty()) continue;
      notices_.warn_of_parameters(speakers_.at(url)->meta.key,
                                  found->second.missing ? "SecretNotFound" : "InvalidSecret",
                                  "Secret " + secret.text() + ", which opens appliance " + url + ": " +
                                      found->second.problem + "; what is on the appliance stays as it is.");
    }
  }

  const Cluster& cluster_;
  const Options& options_;
  Assignment out_;
  Notices notices_;
  std::map<const SluiceConfig*, std::vector<std::string>> named_;
  std::map<std::string, const SluiceConfig*> speakers_;  // By URL: whose Secret it is.
};

}  // namespace

Assignment assign_appliances(const Cluster& cluster, const Options& options) {
  return Assigner(cluster, options).run();
}

std::set<std::string> all_appliances(const Assignment& assignment) {
  std::set<std::string> out;
  for (const auto& [name, urls] : assignment.classes) out.insert(urls.begin(), urls.end());
  return out;
}

std::vector<Fleet> find_fleets(const Assignment& assignment, const std::set<std::string>& appliances) {
  std::map<std::set<std::string>, Fleet> by_classes;
  for (const std::string& url : appliances) {
    std::set<std::string> classes;
    for (const auto& [name, urls] : assignment.classes) {
      if (contains(urls, url)) classes.insert(name);
    }
    Fleet& fleet = by_classes[classes];
    fleet.classes = std::move(classes);
    fleet.appliances.insert(url);
  }
  std::vector<Fleet> out;
  for (auto& [classes, fleet] : by_classes) out.push_back(std::move(fleet));
  return out;
}

}  // namespace sluice::mgmt::ingress
