// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/watched_cluster.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/k8s/readiness.h"
#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/named_appliances.h"
#include "mgmt/ingress/model/read_objects.h"
#include "mgmt/ingress/wall_clock.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kSecretPatience{10};

/// EndpointSlices, the newest form that the server has, before the older Endpoints.
constexpr const char* kSliceVersions[] = {"/apis/discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1beta1"};

/// Whether a translation sees no difference: an Ingress changes most often by what is written back to it.
bool decides_the_same(const Ingress& a, const Ingress& b) {
  return a.meta.uid == b.meta.uid && a.meta.created == b.meta.created && a.meta.deleting == b.meta.deleting &&
         a.meta.annotations == b.meta.annotations && a.class_name == b.class_name &&
         a.default_backend == b.default_backend && a.rules == b.rules && a.tls == b.tls;
}
template <class T>
bool decides_the_same(const T&, const T&) {
  return false;
}

template <class T>
std::vector<ObjectKey> keys_of(const std::map<ObjectKey, T>& map) {
  std::vector<ObjectKey> out;
  out.reserve(map.size());
  for (const auto& [key, value] : map) out.push_back(key);
  return out;
}

}  // namespace

WatchedCluster::WatchedCluster(HttpLoop& loop, const Server& server, std::string ns, Told told)
    : loop_(loop),
      server_(server),
      ns_(std::move(ns)),
      changed_(std::move(told.changed)),
      seen_(std::move(told.seen)),
      moved_(std::move(told.moved)) {}

std::string WatchedCluster::path(const std::string& group_version, const std::string& resource) const {
  return group_version + (ns_.empty() ? "" : "/namespaces/" + ns_) + "/" + resource;
}

void WatchedCluster::add(Reflector::Source source, Reflector::Sink sink) {
  reflectors_.emplace_back(loop_, server_, std::move(source), std::move(sink)).start();
}

void WatchedCluster::start() {
  const std::string networking = "/apis/networking.k8s.io/v1";
  add({"ingressclasses", networking + "/ingressclasses", ""}, map_sink(cluster_.classes, read_ingress_class));
  add({"sluiceconfigs", "/apis/sluice.dev/v1/sluiceconfigs", "", false, true},
      map_sink(cluster_.configs, read_sluice_config));
  add({"ingresses", path(networking, "ingresses"), ""}, map_sink(cluster_.ingresses, read_ingress));
  add({"services", path("/api/v1", "services"), ""}, map_sink(cluster_.services, read_service));
  // Names and versions of all, without their contents: says when one that we need has changed.
  add({"secrets", path("/api/v1", "secrets"), "fieldSelector=type%3Dkubernetes.io%2Ftls", true},
      secret_sink());
  discover(EndpointForm::kSlicesV1);
}

void WatchedCluster::discover(EndpointForm form) {
  HttpRequest r;
  r.path = kSliceVersions[static_cast<std::size_t>(form)];
  r.timeout = std::chrono::seconds(10);
  loop_.start(server_, std::move(r), [this, form](HttpResponse response) { on_discovered(form, response); });
}

void WatchedCluster::on_discovered(EndpointForm form, const HttpResponse& response) {
  if (response.status != 200 && response.status != 404) {
    was_ready_ = false;  // It may be starting anew.
    loop_.after(backoff_.next(), [this] { discover(EndpointForm::kSlicesV1); });
  } else if (response.status == 200 && response.body.find("\"endpointslices\"") != response.body.npos) {
    start_endpoints(form);
  } else if (form == EndpointForm::kSlicesV1) {
    discover(EndpointForm::kSlicesV1beta1);
  } else if (was_ready_) {
    start_endpoints(EndpointForm::kEndpoints);
  } else {
    confirm_endpoints();
  }
}

/// Falling back is for good: not because the API server is only starting.
void WatchedCluster::confirm_endpoints() {
  loop_.start(server_, readiness_request(), [this](HttpResponse response) {
    was_ready_ = is_ready(response);
    loop_.after(was_ready_ ? std::chrono::milliseconds(0) : backoff_.next(),
                [this] { discover(EndpointForm::kSlicesV1); });
  });
}

void WatchedCluster::start_endpoints(EndpointForm form) {
  if (form == EndpointForm::kEndpoints) {
    add({"endpoints", path("/api/v1", "endpoints"), ""}, endpoints_sink());
  } else {
    add({"endpointslices", path(kSliceVersions[static_cast<std::size_t>(form)], "endpointslices"), ""},
        slice_sink());
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
  return {[this, &into, read](const ObjectKey& key, const json& object) {
            auto value = read(object);
            if (!value) return;
            const auto [entry, added] = into.try_emplace(key);
            const bool same = !added && decides_the_same(entry->second, *value);
            entry->second = std::move(*value);
            (same ? seen_ : changed_)();
          },
          [this, &into](const ObjectKey& key) {
            if (into.erase(key) != 0) changed_();
          },
          [&into] { return keys_of(into); }, changed_};
}

void WatchedCluster::remove_slice(const ObjectKey& key) {
  const auto home = slice_homes_.find(key);
  if (home == slice_homes_.end()) return;
  const auto at = cluster_.slices.find(home->second);
  at->second.erase(key.name);
  if (at->second.empty()) cluster_.slices.erase(at);
  moved_(home->second);
  slice_homes_.erase(home);
}

Reflector::Sink WatchedCluster::slice_sink() {
  return {[this](const ObjectKey& key, const json& object) {
            auto slice = read_endpoint_slice(object);
            if (!slice) return;
            const ObjectKey service{key.ns, slice->service};
            remove_slice(key);  // It may have been another Service's.
            slice_homes_[key] = service;
            cluster_.slices[service].insert_or_assign(key.name, std::move(*slice));
            moved_(service);
          },
          [this](const ObjectKey& key) { remove_slice(key); }, [this] { return keys_of(slice_homes_); },
          changed_};
}

Reflector::Sink WatchedCluster::endpoints_sink() {
  return {[this](const ObjectKey& key, const json& object) {
            auto& slices = cluster_.slices[key];
            slices.clear();
            for (auto& slice : read_endpoints(object)) slices.emplace(slice.meta.key.name, std::move(slice));
            moved_(key);
          },
          [this](const ObjectKey& key) { cluster_.slices.erase(key), moved_(key); },
          [this] { return keys_of(cluster_.slices); }, changed_};
}

/// Reads a Secret anew when it is named and has another version than the one that we have.
void WatchedCluster::look_at_secret(const ObjectKey& key) {
  const auto named = secrets_.find(key);
  if (named == secrets_.end()) return;
  const auto version = secret_versions_.find(key);
  if (version == secret_versions_.end() || version->second != named->second) read_secret_of(key);
}

Reflector::Sink WatchedCluster::secret_sink() {
  return {[this](const ObjectKey& key, const json& object) {
            if (const auto meta = read_meta(object)) secret_versions_[key] = meta->resource_version;
            look_at_secret(key);
          },
          [this](const ObjectKey& key) {
            secret_versions_.erase(key);
            look_at_secret(key);
          },
          [this] { return keys_of(secret_versions_); },
          [this] {
            for (const ObjectKey& key : keys_of(secrets_)) look_at_secret(key);
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

void WatchedCluster::name_appliance_secrets(const std::set<ObjectKey>& named) {
  std::erase_if(appliance_secrets_, [&](const auto& s) { return !named.contains(s.first); });
  std::erase_if(cluster_.appliance_secrets, [&](const auto& s) { return !named.contains(s.first); });
  for (const ObjectKey& key : named) {
    if (appliance_secrets_.contains(key)) continue;
    Reflector::Source source{"secret " + key.text(), "/api/v1/namespaces/" + key.ns + "/secrets",
                             "fieldSelector=metadata.name%3D" + key.name};
    appliance_secrets_.try_emplace(key, loop_, server_, std::move(source), appliance_secret_sink(key))
        .first->second.start();
  }
}

Reflector::Sink WatchedCluster::appliance_secret_sink(const ObjectKey& key) {
  const auto known = [this, key] { return cluster_.appliance_secrets.contains(key); };
  const auto missing = [this, key] {
    put_appliance_secret(key, {.missing = true, .problem = "it does not exist"});
  };
  return {[this, key](const ObjectKey& found, const json& object) {
            if (found == key) put_appliance_secret(key, read_appliance_secret(object));
          },
          [key, missing](const ObjectKey& found) {
            if (found == key) missing();
          },
          [key, known] { return known() ? std::vector{key} : std::vector<ObjectKey>(); },
          [known, missing] {
            if (!known()) missing();
          },
          [this, key, known](const std::string& why) {  // What is known stays.
            if (!known()) put_appliance_secret(key, {.unread = true, .problem = "it cannot be read: " + why});
          }};
}

void WatchedCluster::put_appliance_secret(const ObjectKey& key, ApplianceSecret secret) {
  const auto [entry, first] = cluster_.appliance_secrets.try_emplace(key);
  if (!first && entry->second == secret) return;
  if (!secret.token.empty()) ++secrets_read_;
  entry->second = std::move(secret);
  changed_();
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
    } else if (response.status == 404) {
      if (cluster_.secrets.erase(key) != 0) changed_();
    } else if (response.status == 401 || response.status == 403) {
      // Also said by an API server that starts. What we have stays in use; nobody waits for it.
      read_secret_later(key, std::chrono::seconds(30), response);
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
