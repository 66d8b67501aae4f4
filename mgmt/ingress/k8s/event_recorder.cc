// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/event_recorder.h"

#include <nlohmann/json.hpp>

#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/ids.h"
#include "mgmt/ingress/wall_clock.h"

namespace sluice::mgmt::ingress {
namespace {

constexpr int kAtOnce = 4;
constexpr std::size_t kMaxQueue = 1000;
constexpr std::size_t kMaxMessage = 1000;  // The API server takes 1024 bytes.

bool of_parameters(const Notice& n) { return n.kind == Notice::Kind::kSluiceConfig; }

/// Of an object that still exists.
const Meta* meta_of(const Notice& n, const Cluster& cluster) {
  if (of_parameters(n)) {
    const auto config = cluster.configs.find(n.object);
    return config == cluster.configs.end() ? nullptr : &config->second.meta;
  }
  const auto ingress = cluster.ingresses.find(n.object);
  return ingress == cluster.ingresses.end() ? nullptr : &ingress->second.meta;
}

nlohmann::json reference_to(const Notice& n, const std::string& uid) {
  nlohmann::json out = {{"name", n.object.name}, {"uid", uid}};
  out["apiVersion"] = of_parameters(n) ? "sluice.dev/v1" : "networking.k8s.io/v1";
  out["kind"] = of_parameters(n) ? "SluiceConfig" : "Ingress";
  if (!n.object.ns.empty()) out["namespace"] = n.object.ns;
  return out;
}

}  // namespace

void EventRecorder::set(const std::vector<Notice>& notices, const Cluster& cluster) {
  std::set<Notice> now;
  for (const Notice& n : notices) {
    now.insert(n);
    if (holding_.contains(n)) continue;
    log_line(n.warning ? "warning" : "info", n.reason,
             {{of_parameters(n) ? "parameters" : "ingress", n.object.text()}, {"message", n.message}});
    const Meta* meta = meta_of(n, cluster);
    if (meta == nullptr) continue;
    if (queue_.size() >= kMaxQueue) {
      ++dropped_;
      continue;
    }
    queue_.push_back({n, meta->uid});
  }
  holding_ = std::move(now);
  while (in_flight_ < kAtOnce && !queue_.empty()) send_next();
}

void EventRecorder::send_next() {
  const Pending p = std::move(queue_.front());
  queue_.pop_front();
  const std::string now = rfc3339_now(false);
  // Events on what has no namespace of its own are in this one.
  const std::string ns = p.notice.object.ns.empty() ? "default" : p.notice.object.ns;
  const std::string name =
      p.notice.object.name.substr(0, 200) + "." +
      short_hash(identity_ + p.notice.reason + p.notice.message + now + std::to_string(++serial_));
  const nlohmann::json event = {{"apiVersion", "v1"},
                                {"kind", "Event"},
                                {"metadata", {{"name", name}, {"namespace", ns}}},
                                {"involvedObject", reference_to(p.notice, p.uid)},
                                {"reason", p.notice.reason},
                                {"message", p.notice.message.substr(0, kMaxMessage)},
                                {"type", p.notice.warning ? "Warning" : "Normal"},
                                {"source", {{"component", "sluice-ingress"}, {"host", identity_}}},
                                {"firstTimestamp", now},
                                {"lastTimestamp", now},
                                {"count", 1}};
  HttpRequest r;
  r.method = "POST";
  r.path = "/api/v1/namespaces/" + ns + "/events";
  r.headers.push_back("Content-Type: application/json");
  r.body = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  r.timeout = std::chrono::seconds(5);
  ++in_flight_;
  loop_.start(server_, std::move(r), [this](HttpResponse response) {
    --in_flight_;
    ++(response.good() ? sent_ : dropped_);  // An Event is a courtesy: it is not worth a second attempt.
    if (!queue_.empty()) send_next();
  });
}

}  // namespace sluice::mgmt::ingress
