// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/watched_cluster.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/read_objects.h"
#include "mgmt/ingress/wall_clock.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kSecretPatience{10};

/// EndpointSlices, the newest form that the server has, before the older Endpoints.
constexpr const char* kEndpointVersions[] = {"/apis/discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1beta1"};

}  // namespace

WatchedCluster::WatchedCluster(HttpLoop& loop, const Server& server, std::string ns,
                               std::function<void()> changed)
    : loop_(loop), server_(server), ns_(std::move(ns)), changed_(std::move(changed)) {}

std::string WatchedCluster::path(const std::string& group_version, const std::string& resource) const {
  return group_version + (ns_.empty() ? "" : "/namespaces/" + ns_) + "/" + resource;
}

void WatchedCluster::add(Reflector::Source source, Reflector::Sink sink) {
  reflectors_.emplace_back(loop_, server_, std::move(source), std::move(sink)).start();
}

void WatchedCluster::start() {
  const std::string networking = "/apis/networking.k8s.io/v1";
  add({"ingressclasses", networking + "/ingressclasses", "", false},
      map_sink(cluster_.classes, read_ingress_class));
  add({"sluiceconfigs", "/apis/sluice.dev/v1/sluiceconfigs", "", false},
      map_sink(cluster_.configs, read_sluice_config));
  add({"ingresses", path(networking, "ingresses"), "", false}, map_sink(cluster_.ingresses, read_ingress));
  add({"services", path("/api/v1", "services"), "", false}, map_sink(cluster_.services, read_service));
  // Names and versions of all, without their contents: says when one that we need has changed.
  add({"secrets", path("/api/v1", "secrets"), "fieldSelector=type%3Dkubernetes.io%2Ftls", true},
      secret_sink());
  discover();
}

void WatchedCluster::discover() {
  HttpRequest r;
  r.path = kEndpointVersions[discovery_step_];
  r.timeout = std::chrono::seconds(10);
  loop_.start(server_, std::move(r), [this](HttpResponse response) {
    const bool there =
        response.status == 200 && response.body.find("\"endpointslices\"") != response.body.npos;
    if (there || ((response.status == 404 || response.status == 200) && discovery_step_ == 1)) {
      start_endpoints(there ? discovery_step_ : 2);
    } else if (response.status == 404 || response.status == 200) {
      discovery_step_ = 1;
      discover();
    } else {
      loop_.after(backoff_.next(), [this] { discover(); });
    }
  });
}

void WatchedCluster::start_endpoints(int form) {
  if (form < 2) {
    add({"endpointslices", path(kEndpointVersions[form], "endpointslices"), "", false}, slice_sink());
  } else {
    add({"endpoints", path("/api/v1", "endpoints"), "", false}, endpoints_sink());
  }
  endpoints_known_ = true;
}

bool WatchedCluster::secrets_settled() const {
  return secrets_pending_.empty() || HttpLoop::Clock::now() - pending_since_ > kSecretPatience;
}

bool WatchedCluster::listed() const {
  return endpoints_known_ &&
         std::all_of(reflectors_.begin(), reflectors_.end(), [](const Reflector& r) { return r.synced(); });
}

template <class T>
Reflector::Sink WatchedCluster::map_sink(std::map<ObjectKey, T>& into,
                                         std::optional<T> (*read)(const json&)) {
  auto seen = std::make_shared<std::optional<std::set<ObjectKey>>>();
  const auto put = [this, &into, read, seen](const json& object) {
    auto value = read(object);
    if (!value) return;
    const ObjectKey key = value->meta.key;
    if (*seen) (*seen)->insert(key);
    into.insert_or_assign(key, std::move(*value));
    changed_();
  };
  return {[seen] { seen->emplace(); }, put,
          [this, &into](const json& object) {
            if (const auto meta = read_meta(object)) into.erase(meta->key), changed_();
          },
          [this, &into, seen] {
            std::erase_if(into, [&](const auto& entry) { return !(*seen)->contains(entry.first); });
            seen->reset();
            changed_();
          }};
}

void WatchedCluster::remove_slice(const ObjectKey& key) {
  const auto home = slice_homes_.find(key);
  if (home == slice_homes_.end()) return;
  const auto at = cluster_.slices.find(home->second);
  at->second.erase(key.name);
  if (at->second.empty()) cluster_.slices.erase(at);
  slice_homes_.erase(home);
}

Reflector::Sink WatchedCluster::slice_sink() {
  auto seen = std::make_shared<std::optional<std::set<ObjectKey>>>();
  return {[seen] { seen->emplace(); },
          [this, seen](const json& object) {
            auto slice = read_endpoint_slice(object);
            if (!slice) return;
            const ObjectKey key = slice->meta.key, service{key.ns, slice->service};
            if (*seen) (*seen)->insert(key);
            remove_slice(key);  // It may have been another Service's.
            slice_homes_[key] = service;
            cluster_.slices[service].insert_or_assign(key.name, std::move(*slice));
            changed_();
          },
          [this](const json& object) {
            if (const auto meta = read_meta(object)) remove_slice(meta->key), changed_();
          },
          [this, seen] {
            std::vector<ObjectKey> gone;
            for (const auto& [key, service] : slice_homes_) {
              if (!(*seen)->contains(key)) gone.push_back(key);
            }
            for (const ObjectKey& key : gone) remove_slice(key);
            seen->reset();
            changed_();
          }};
}

Reflector::Sink WatchedCluster::endpoints_sink() {
  auto seen = std::make_shared<std::optional<std::set<ObjectKey>>>();
  return {[seen] { seen->emplace(); },
          [this, seen](const json& object) {
            const auto meta = read_meta(object);
            if (!meta) return;
            if (*seen) (*seen)->insert(meta->key);
            auto& slices = cluster_.slices[meta->key];
            slices.clear();
            for (auto& slice : read_endpoints(object)) slices.emplace(slice.meta.key.name, std::move(slice));
            changed_();
          },
          [this](const json& object) {
            if (const auto meta = read_meta(object)) cluster_.slices.erase(meta->key), changed_();
          },
          [this, seen] {
            std::erase_if(cluster_.slices, [&](const auto& s) { return !(*seen)->contains(s.first); });
            seen->reset();
            changed_();
          }};
}

Reflector::Sink WatchedCluster::secret_sink() {
  auto seen = std::make_shared<std::optional<std::set<ObjectKey>>>();
  const auto look = [this](const ObjectKey& key) {
    if (const auto named = secrets_.find(key); named != secrets_.end()) {
      const auto version = secret_versions_.find(key);
      if (version == secret_versions_.end() || version->second != named->second) read_secret_of(key);
    }
  };
  return {[seen] { seen->emplace(); },
          [this, seen, look](const json& object) {
            const auto meta = read_meta(object);
            if (!meta) return;
            if (*seen) (*seen)->insert(meta->key);
            secret_versions_[meta->key] = meta->resource_version;
            look(meta->key);
          },
          [this, look](const json& object) {
            const auto meta = read_meta(object);
            if (!meta) return;
            secret_versions_.erase(meta->key);
            look(meta->key);
          },
          [this, seen, look] {
            std::erase_if(secret_versions_, [&](const auto& s) { return !(*seen)->contains(s.first); });
            seen->reset();
            for (const auto& [key, version] : secrets_) look(key);
            changed_();
          }};
}

void WatchedCluster::name_secrets(const std::set<ObjectKey>& named) {
  std::erase_if(secrets_, [&](const auto& s) { return !named.contains(s.first); });
  std::erase_if(cluster_.secrets, [&](const auto& s) { return !named.contains(s.first); });
  for (const ObjectKey& key : named) {
    if (secrets_.try_emplace(key).second) read_secret_of(key);
  }
}

void WatchedCluster::read_secret_of(const ObjectKey& key) {
  const auto version = secret_versions_.find(key);
  if (version == secret_versions_.end()) {  // It does not exist, or is of another type.
    secrets_[key].clear();
    if (cluster_.secrets.erase(key) != 0) changed_();
    return;
  }
  if (secrets_pending_.empty()) pending_since_ = HttpLoop::Clock::now();
  if (!secrets_pending_.insert(key).second) return;
  secrets_[key] = version->second;
  ++secrets_read_;
  HttpRequest r;
  r.path = "/api/v1/namespaces/" + key.ns + "/secrets/" + key.name;
  r.timeout = std::chrono::seconds(10);
  r.max_body = 4u << 20;
  loop_.start(server_, std::move(r), [this, key](HttpResponse response) {
    secrets_pending_.erase(key);
    const auto named = secrets_.find(key);
    if (named == secrets_.end()) return;
    auto secret = response.status == 200
                      ? read_secret(json::parse(response.body, nullptr, false), unix_seconds_now())
                      : std::nullopt;
    if (secret) {
      named->second = secret->meta.resource_version;
      cluster_.secrets.insert_or_assign(key, std::move(*secret));
      changed_();
    } else if (response.status == 404 || response.status == 401 || response.status == 403) {
      if (cluster_.secrets.erase(key) != 0) changed_();
      if (response.status != 404) read_secret_later(key, std::chrono::seconds(30), response);
    } else {  // What we have stays in use, and what needs it waits.
      secrets_pending_.insert(key);
      read_secret_later(key, backoff_.next(), response);
      return;
    }
    changed_();  // One less that is waited for.
    const auto latest = secret_versions_.find(key);
    if (latest != secret_versions_.end() && latest->second != named->second)
      read_secret_later(key, std::chrono::milliseconds(100), response);
  });
}

void WatchedCluster::read_secret_later(const ObjectKey& key, HttpLoop::Clock::duration wait,
                                       const HttpResponse& response) {
  if (response.status != 200)
    log_line("warning", "secret",
             {{"secret", key.text()},
              {"error", response.status == 0 ? response.error : std::to_string(response.status)}});
  loop_.after(wait, [this, key] {
    const auto since = pending_since_;
    const bool waited = secrets_pending_.erase(key) != 0;
    if (secrets_.contains(key)) read_secret_of(key);
    if (waited) pending_since_ = since;
    changed_();
  });
}

}  // namespace sluice::mgmt::ingress
