// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "mgmt/ingress/backoff.h"
#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// Keeps up with one kind of object: lists it in pages, then watches from there; lists again when the API
/// server has forgotten where we were (410) or talks nonsense. What was known stays known meanwhile.
///
///   list --last page--> watch --ends, or fails--> watch (after a wait)
///    ^  \--fails--> list (after a wait)    \--410, garbage--> list
///    |--- absent (404): the kind is not there; asked again now and then
class Reflector {
 public:
  struct Source {
    std::string name;      ///< "ingresses", for metrics and logs.
    std::string path;      ///< "/apis/networking.k8s.io/v1/ingresses"
    std::string selector;  ///< "fieldSelector=type%3Dkubernetes.io%2Ftls"
    bool metadata_only = false;
  };
  /// Called from the loop.
  struct Sink {
    std::function<void()> begin_list;                ///< What is not seen until end_list() is gone.
    std::function<void(const nlohmann::json&)> put;  ///< Listed, added or modified.
    std::function<void(const nlohmann::json&)> remove;
    std::function<void()> end_list;  ///< All is known; also when the kind is absent.
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

 private:
  void list(const std::string& continue_token);
  void on_page(const HttpResponse& response);
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
  bool synced_ = false, listing_ = false, stale_ = false;
  std::string version_;  ///< resourceVersion that we have seen everything up to.
  std::string line_;     ///< Of the watch, unfinished.
  Counters counters_;
  std::string last_failure_;
};

/// Seconds that a 429 or 503 asks us to wait; 0: it does not say.
std::chrono::seconds retry_after(const HttpResponse& response);

}  // namespace sluice::mgmt::ingress
