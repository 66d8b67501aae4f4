// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/reflector.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/k8s/readiness.h"
#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/json_access.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t kMaxLine =
    16u << 20;  // etcd holds objects of 1.5 MB; who sends more is not to be trusted.
constexpr seconds kAskAgain{30};
constexpr int kWatchSeconds = 290;

std::string escape(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    char three[4];
    if (std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += static_cast<char>(c);
    } else {
      std::snprintf(three, sizeof three, "%%%02X", c);
      out += three;
    }
  }
  return out;
}

ObjectKey key_of(const json& object) {
  const json& meta = member(object, "metadata");
  return {text(meta, "namespace"), text(meta, "name")};
}

}  // namespace

seconds retry_after(const HttpResponse& response) {
  const auto found = response.headers.find("retry-after");
  unsigned value = 0;
  if (found != response.headers.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return seconds(std::min(value, 60u));
}

Reflector::Reflector(HttpLoop& loop, const Server& server, Source source, Sink sink)
    : loop_(loop), server_(server), source_(std::move(source)), sink_(std::move(sink)) {}

Reflector::~Reflector() { loop_.cancel(pending_); }

HttpRequest Reflector::request(std::string query) const {
  HttpRequest r;
  if (!source_.selector.empty()) query += "&" + source_.selector;
  r.path = source_.path + "?" + query;
  const char* kind = query.starts_with("watch") ? "PartialObjectMetadata" : "PartialObjectMetadataList";
  r.headers.push_back(source_.metadata_only
                          ? std::string("Accept: application/json;as=") + kind + ";g=meta.k8s.io;v=v1"
                          : "Accept: application/json");
  return r;
}

void Reflector::retry(std::string why, HttpLoop::Clock::duration at_least, void (Reflector::*step)()) {
  ++counters_.failures;
  was_ready_ = false;
  if (why != last_failure_) log_line("warning", "watch", {{"kind", source_.name}, {"error", why}});
  last_failure_ = std::move(why);
  if (sink_.failed) sink_.failed(last_failure_);
  const HttpLoop::Clock::duration wait = backoff_.next();
  pending_ = loop_.after(std::max(wait, at_least), [this, step] { (this->*step)(); });
}

void Reflector::list(const std::string& continue_token) {
  ++counters_.lists;
  std::string query = "limit=500";
  if (continue_token.empty()) {
    seen_.clear();
  } else {
    query += "&continue=" + escape(continue_token);
  }
  HttpRequest r = request(std::move(query));
  r.timeout = seconds(60);
  pending_ = loop_.start(server_, std::move(r), [this](HttpResponse response) { on_page(response); });
}

void Reflector::on_page(const HttpResponse& response) {
  if (response.status == 404 && source_.optional) return absent();
  if (response.status != 200) {
    // Whatever it is (a token for the next page may have expired: 410), from the first page.
    return retry(response.status == 0 ? response.error : "list: status " + std::to_string(response.status),
                 retry_after(response), &Reflector::list_again);
  }
  const json page = json::parse(response.body, nullptr, false);
  const json& items = member(page, "items");
  const json& meta = member(page, "metadata");
  if (!items.is_array() && !items.is_null()) return retry("list: no items", {}, &Reflector::list_again);
  if (text(meta, "resourceVersion").empty())
    return retry("list: the answer is no list", {}, &Reflector::list_again);
  for (const json& item : items) {
    put(item);
    seen_.insert(key_of(item));
  }
  if (const std::string next = text(meta, "continue"); !next.empty()) return list(next);
  version_ = text(meta, "resourceVersion");
  end_list();
  watch();
}

void Reflector::put(const json& object) {
  if (const ObjectKey key = key_of(object); !key.name.empty()) sink_.put(key, object);
}

void Reflector::end_list() {
  for (const ObjectKey& key : sink_.known()) {
    if (!seen_.contains(key)) sink_.remove(key);
  }
  seen_.clear();
  was_ready_ = false;
  synced_ = true;
  sink_.listed();
}

/// 404: no such kind here, or an API server that has not read its CRDs yet. So it is believed only after the
/// server has called itself ready.
void Reflector::absent() {
  if (was_ready_) {
    seen_.clear();
    end_list();
    pending_ = loop_.after(kAskAgain, [this] { list_again(); });
    return;
  }
  pending_ = loop_.start(server_, readiness_request(), [this](HttpResponse response) {
    was_ready_ = is_ready(response);
    if (was_ready_) return list_again();
    retry("list: status 404, of a server that is not ready", retry_after(response), &Reflector::list_again);
  });
}

void Reflector::watch() {
  ++counters_.watches;
  line_.clear();
  stale_ = false;
  HttpRequest r = request("watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(kWatchSeconds) +
                          "&resourceVersion=" + escape(version_));
  r.timeout = seconds(kWatchSeconds + 30);
  r.on_data = [this](std::string_view bytes) { return on_bytes(bytes); };
  pending_ = loop_.start(server_, std::move(r), [this](HttpResponse response) { on_watch_end(response); });
}

bool Reflector::on_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (line_.size() > kMaxLine) {
      stale_ = true;
      return false;
    }
    if (end == bytes.npos) break;
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    if (!line.empty() && !on_line(line)) return false;
  }
  return true;
}

bool Reflector::on_line(std::string_view line) {
  const json event = json::parse(line, nullptr, false);
  const std::string type = text(event, "type");
  const json& object = member(event, "object");
  const std::string version = text(member(object, "metadata"), "resourceVersion");
  const bool added = type == "ADDED" || type == "MODIFIED", bookmark = type == "BOOKMARK";
  if ((!added && !bookmark && type != "DELETED") || version.empty()) {
    stale_ = true;  // ERROR (410 and others), or nothing that a watch may say.
    return false;
  }
  ++counters_.events;
  backoff_.reset();
  if (added) put(object);
  if (type == "DELETED") sink_.remove(key_of(object));
  version_ = version;
  return true;
}

void Reflector::on_watch_end(const HttpResponse& response) {
  if (stale_ || response.status == 410 || response.status == 404) {
    ++counters_.resyncs;
    return retry("watch: lost its place, listing anew", {}, &Reflector::list_again);
  }
  if (response.status == 200) {  // The server ends each after a while.
    last_failure_.clear();
    pending_ = loop_.after(backoff_.next() / 4, [this] { watch(); });
    return;
  }
  retry(response.status == 0 ? response.error : "watch: status " + std::to_string(response.status),
        retry_after(response), &Reflector::watch);
}

}  // namespace sluice::mgmt::ingress
