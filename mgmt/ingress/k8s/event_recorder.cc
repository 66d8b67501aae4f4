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

}  // namespace

void EventRecorder::set(const std::vector<Notice>& notices, const std::map<ObjectKey, Ingress>& ingresses) {
  std::set<Notice> now;
  for (const Notice& n : notices) {
    now.insert(n);
    if (holding_.contains(n)) continue;
    log_line(n.warning ? "warning" : "info", n.reason,
             {{"ingress", n.ingress.text()}, {"message", n.message}});
    const auto ingress = ingresses.find(n.ingress);
    if (ingress == ingresses.end()) continue;
    if (queue_.size() >= kMaxQueue) {
      ++dropped_;
      continue;
    }
    queue_.push_back({n, ingress->second.meta.uid});
  }
  holding_ = std::move(now);
  while (in_flight_ < kAtOnce && !queue_.empty()) send_next();
}

void EventRecorder::send_next() {
  const Pending p = std::move(queue_.front());
  queue_.pop_front();
  const std::string now = rfc3339_now(false);
  const std::string name =
      p.notice.ingress.name.substr(0, 200) + "." +
      short_hash(identity_ + p.notice.reason + p.notice.message + now + std::to_string(++serial_));
  const nlohmann::json event = {{"apiVersion", "v1"},
                                {"kind", "Event"},
                                {"metadata", {{"name", name}, {"namespace", p.notice.ingress.ns}}},
                                {"involvedObject",
                                 {{"apiVersion", "networking.k8s.io/v1"},
                                  {"kind", "Ingress"},
                                  {"name", p.notice.ingress.name},
                                  {"namespace", p.notice.ingress.ns},
                                  {"uid", p.uid}}},
                                {"reason", p.notice.reason},
                                {"message", p.notice.message.substr(0, kMaxMessage)},
                                {"type", p.notice.warning ? "Warning" : "Normal"},
                                {"source", {{"component", "sluice-ingress"}, {"host", identity_}}},
                                {"firstTimestamp", now},
                                {"lastTimestamp", now},
                                {"count", 1}};
  HttpRequest r;
  r.method = "POST";
  r.path = "/api/v1/namespaces/" + p.notice.ingress.ns + "/events";
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
