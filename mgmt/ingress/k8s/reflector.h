// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "mgmt/ingress/backoff.h"
#include "mgmt/ingress/http_loop.h"
#include "mgmt/ingress/model/objects.h"

namespace sluice::mgmt::ingress {

/// Keeps up with one kind of object: lists it in pages, then watches from there; lists again when the API
/// server has forgotten where we were (410) or talks nonsense. What was known stays known meanwhile.
///
///   list --last page--> watch --ends, or fails--> watch (after a wait)
///    ^  \--fails, also 404--> list (after a wait)    \--410, garbage--> list
///    |--- absent (404 of an optional kind, by a server that was ready): asked again now and then
class Reflector {
 public:
  struct Source {
    std::string name;      ///< "ingresses", for metrics and logs.
    std::string path;      ///< "/apis/networking.k8s.io/v1/ingresses"
    std::string selector;  ///< "fieldSelector=type%3Dkubernetes.io%2Ftls"
    bool metadata_only = false;
    bool optional = false;  ///< A CRD's kind: where it is not installed, there are none.
  };
  /// Called from the loop. The key is that of the object's metadata.
  struct Sink {
    std::function<void(const ObjectKey&, const nlohmann::json&)> put;  ///< Listed, added or modified.
    std::function<void(const ObjectKey&)> remove;
    std::function<std::vector<ObjectKey>()> known;  ///< All that were put: what a new list lacks is removed.
    std::function<void()> listed;                   ///< All is known; also when the kind is absent.
    std::function<void(const std::string& why)> failed = nullptr;  ///< A list or a watch did. May be left out.
  };
  struct Counters {
    std::uint64_t lists = 0, watches = 0, events = 0, resyncs = 0, failures = 0;
  };

  Reflector(HttpLoop& loop, const Server& server, Source source, Sink sink);
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  void start() { list({}); }
  bool synced() const { return synced_; }
  const Source& source() const { return source_; }
  const Counters& counters() const { return counters_; }
  const std::string& last_failure() const { return last_failure_; }
  /// The resourceVersion that everything was seen up to.
  const std::string& version() const { return version_; }

 private:
  void list(const std::string& continue_token);
  void on_page(const HttpResponse& response);
  void put(const nlohmann::json& object);
  void end_list();
  void absent();
  void watch();
  bool on_bytes(std::string_view bytes);
  bool on_line(std::string_view line);
  void on_watch_end(const HttpResponse& response);
  void retry(std::string why, HttpLoop::Clock::duration at_least, void (Reflector::*step)());
  void list_again() { list({}); }
  HttpRequest request(std::string query) const;

  HttpLoop& loop_;
  const Server& server_;
  const Source source_;
  const Sink sink_;
  Backoff backoff_{std::chrono::milliseconds(200), std::chrono::seconds(10)};
  HttpLoop::Id pending_ = 0;
  bool synced_ = false, stale_ = false;
  bool was_ready_ = false;    ///< The server called itself ready, before the request that is on its way.
  std::set<ObjectKey> seen_;  ///< In the pages of a list so far.
  std::string version_;
  std::string line_;  ///< Of the watch, unfinished.
  Counters counters_;
  std::string last_failure_;
};

/// Seconds that a 429 or 503 asks us to wait; 0: it does not say.
std::chrono::seconds retry_after(const HttpResponse& response);

}  // namespace sluice::mgmt::ingress
