// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/status_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/log.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

constexpr std::size_t kAtOnce = 16;

std::string path_of(const Ingress& ingress) {
  return "/apis/networking.k8s.io/v1/namespaces/" + ingress.meta.key.ns + "/ingresses/" +
         ingress.meta.key.name;
}

}  // namespace

void StatusWriter::set_addresses(const Ingress& ingress, const std::vector<std::string>& addresses) {
  if (ingress.addresses == addresses) return;
  json list = json::array();
  for (const std::string& a : addresses) list.push_back({{"ip", a}});
  add({ingress.meta.key.text() + " status", path_of(ingress) + "/status",
       json{{"status", {{"loadBalancer", {{"ingress", addresses.empty() ? json(nullptr) : list}}}}}}.dump()});
}

void StatusWriter::set_finalizer(const Ingress& ingress, bool present) {
  const auto& there = ingress.meta.finalizers;
  if ((std::find(there.begin(), there.end(), kFinalizer) != there.end()) == present) return;
  auto list = there;
  if (present) {
    list.push_back(kFinalizer);
  } else {
    std::erase(list, kFinalizer);
  }
  // The list is replaced whole: only as long as nobody else has changed the object.
  add({ingress.meta.key.text() + " finalizer", path_of(ingress),
       json{{"metadata", {{"finalizers", list}, {"resourceVersion", ingress.meta.resource_version}}}}
           .dump()});
}

void StatusWriter::add(Patch patch) {
  if (const auto sent = on_its_way_.find(patch.key); sent != on_its_way_.end()) {
    // Whether the one on its way succeeds or not: the object may end as something else than this.
    sent->second.overtaken |= sent->second.body != patch.body;
    return;
  }
  const std::string key = patch.key;
  queue_.insert_or_assign(key, std::move(patch));
  while (on_its_way_.size() < kAtOnce && !queue_.empty()) send_next();
}

void StatusWriter::send_next() {
  const Patch patch = std::move(queue_.extract(queue_.begin()).mapped());
  HttpRequest r;
  r.method = "PATCH";
  r.path = patch.path;
  r.headers.push_back("Content-Type: application/merge-patch+json");
  r.body = patch.body;
  r.timeout = std::chrono::seconds(10);
  on_its_way_[patch.key] = {patch.body};
  loop_.start(server_, std::move(r),
              [this, key = patch.key](HttpResponse response) { on_answer(key, response); });
}

void StatusWriter::on_answer(const std::string& key, const HttpResponse& response) {
  const bool overtaken = on_its_way_[key].overtaken;
  on_its_way_.erase(key);
  ++(response.good() ? written_ : failed_);
  if (response.good()) {
    backoff_.reset();
    if (overtaken) ask_again({});
  } else {
    // 404: it is gone; 409: it has changed, which we may have seen while this was on its way.
    if (response.status != 404 && response.status != 409)
      log_line("warning", "status",
               {{"object", key},
                {"error", response.status == 0 ? response.error : std::to_string(response.status)}});
    ask_again(backoff_.next());
  }
  if (!queue_.empty()) send_next();
}

void StatusWriter::ask_again(HttpLoop::Clock::duration wait) {
  if (asking_ != 0) return;
  asking_ = loop_.after(wait, [this] {
    asking_ = 0;
    again_();
  });
}

}  // namespace sluice::mgmt::ingress
