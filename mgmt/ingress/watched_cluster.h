// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/k8s/reflector.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// The Cluster as the API server tells it: one Reflector a kind, and Secrets one by one, each only while an
/// Ingress or a class names it.
class WatchedCluster {
 public:
  struct Told {
    std::function<void()> changed;  ///< Something that may decide something.
    std::function<void()> seen;     ///< Something that decides nothing, but may be what was written back.
    std::function<void(const ObjectKey&)> moved;  ///< The slices of this Service, and nothing else.
  };
  WatchedCluster(HttpLoop& loop, const Server& server, std::string ns, Told told);

  void start();
  /// Every kind was listed.
  bool listed() const;
  /// Every Secret that is named was looked for, or could not be read for too long to wait on.
  bool secrets_settled() const;
  const Cluster& cluster() const { return cluster_; }
  /// Reads Secrets that are named now, forgets those that are no more.
  void name_secrets(const std::set<ObjectKey>& named);
  /// The same for Secrets that open appliances, each of which is watched by itself.
  void name_appliance_secrets(const std::set<ObjectKey>& named);
  const std::list<Reflector>& reflectors() const { return reflectors_; }
  std::uint64_t secrets_read() const { return secrets_read_; }

 private:
  template <class T>
  Reflector::Sink map_sink(std::map<ObjectKey, T>& into, std::optional<T> (*read)(const nlohmann::json&));
  Reflector::Sink slice_sink();
  Reflector::Sink endpoints_sink();
  Reflector::Sink secret_sink();
  Reflector::Sink appliance_secret_sink(const ObjectKey& key);
  void put_appliance_secret(const ObjectKey& key, ApplianceSecret secret);
  std::string path(const std::string& group_version, const std::string& resource) const;
  enum class EndpointForm { kSlicesV1, kSlicesV1beta1, kEndpoints };
  void discover(EndpointForm form);
  void on_discovered(EndpointForm form, const HttpResponse& response);
  void confirm_endpoints();
  void start_endpoints(EndpointForm form);
  void add(Reflector::Source source, Reflector::Sink sink);
  void read_secret_of(const ObjectKey& key);
  void read_secret_later(const ObjectKey& key, HttpLoop::Clock::duration wait, const HttpResponse& response);
  void remove_slice(const ObjectKey& key);
  void look_at_secret(const ObjectKey& key);

  HttpLoop& loop_;
  const Server& server_;
  const std::string ns_;  ///< Empty: all namespaces.
  const std::function<void()> changed_, seen_;
  const std::function<void(const ObjectKey&)> moved_;
  Cluster cluster_;
  std::list<Reflector> reflectors_;
  std::map<ObjectKey, Reflector> appliance_secrets_;
  std::map<ObjectKey, ObjectKey> slice_homes_;  ///< Slice to Service.
  bool endpoints_known_ = false;
  bool was_ready_ = false;  ///< The API server called itself ready, before the discovery that runs now.
  Backoff backoff_{std::chrono::milliseconds(200), std::chrono::seconds(10)};

  std::map<ObjectKey, std::string>
      secret_versions_;  ///< All of the cluster's TLS Secrets: resourceVersions only.
  std::map<ObjectKey, std::string>
      secrets_;  ///< Named ones, with the version that was read or is being read.
  std::set<ObjectKey> secrets_pending_;
  HttpLoop::Clock::time_point pending_since_{};  ///< When the set was empty last.
  std::uint64_t secrets_read_ = 0;
};

}  // namespace sluice::mgmt::ingress
