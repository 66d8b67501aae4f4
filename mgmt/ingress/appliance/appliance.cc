// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/appliance/appliance.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "mgmt/config/json.h"
#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/json_access.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;
using Clock = HttpLoop::Clock;

/// How often an appliance that nobody changes is asked whether somebody did.
constexpr std::chrono::seconds kLookAgain{5};

/// "/put/rules/3/hosts/0" to the object that was sent: {"rules", 3}.
std::optional<std::pair<std::string, std::size_t>> sent_object(const std::string& path) {
  if (!path.starts_with("/put/")) return std::nullopt;
  const std::size_t kind_end = path.find('/', 5);
  if (kind_end == path.npos) return std::nullopt;
  std::size_t index = 0;
  const char* begin = path.data() + kind_end + 1;
  const auto [end, ec] = std::from_chars(begin, path.data() + path.size(), index);
  if (ec != std::errc{} || end == begin) return std::nullopt;
  return std::pair(path.substr(5, kind_end - 5), index);
}

/// A load balancer whose address the appliance is to choose goes ahead of all else: what is then read, to
/// learn the address, is short.
Change first_step(Change change) {
  Change ahead;
  for (const auto& [id, lb] : change.put.load_balancers) {
    if (lb.addresses.empty()) ahead.put.load_balancers.emplace(id, lb);
  }
  return ahead.empty() ? std::move(change) : std::move(ahead);
}

template <class T>
bool refuse(const Change& change, const std::string& member, std::size_t index, Refused& refused,
            std::string& key) {
  const auto& objects = change.put.*config::KindOf<T>::kMap;
  if (member != config::KindOf<T>::kMember || index >= objects.size()) return false;
  const auto& [id, object] = *std::next(objects.begin(), static_cast<std::ptrdiff_t>(index));
  key = member + "/" + id;
  refused[key] = fingerprint(object);
  return true;
}

}  // namespace

Appliance::Appliance(HttpLoop& loop, std::string name, std::string mark, std::chrono::seconds linger,
                     std::function<void()> changed, std::function<void()> done)
    : loop_(loop),
      name_(std::move(name)),
      mark_(std::move(mark)),
      changed_(std::move(changed)),
      done_(std::move(done)),
      lingering_(linger) {}

Appliance::~Appliance() { loop_.cancel(pending_); }

void Appliance::use(std::optional<Server> server) {
  if (server == server_) return;
  server_ = std::move(server);
  loop_.cancel(pending_);
  backoff_.reset();
  if (server_) return read();
  busy_ = true;
  last_failure_.clear();
  if (std::exchange(reachable_, false)) changed_();
}

void Appliance::wait(Clock::duration delay, void (Appliance::*step)()) {
  pending_ = loop_.after(delay, [this, step] { (this->*step)(); });
}

void Appliance::want(std::shared_ptr<const Wanted> wanted) {
  wanted_ = std::move(wanted);
  if (busy_ || !known_) return;
  loop_.cancel(pending_);
  compare();
}

void Appliance::members_changed(const std::set<std::string>& groups, std::uint64_t before) {
  if (busy_ || !known_ || acknowledged_ != before) return want(wanted_);
  Change change =
      diff_groups(state_, wanted_->translation, mark_, refused_, lingering_, Clock::now(), groups);
  if (change.empty()) return want(wanted_);
  loop_.cancel(pending_);
  send(std::move(change));
}

void Appliance::read() {
  ++counters_.reads;
  busy_ = true;
  HttpRequest r;
  r.path = "/api/v1/config";
  r.timeout = std::chrono::seconds(20);
  r.max_body = 512u << 20;
  if (known_) r.headers.push_back("If-None-Match: " + tag_);
  pending_ = loop_.start(*server_, std::move(r), [this](HttpResponse response) { on_state(response); });
}

void Appliance::on_state(const HttpResponse& response) {
  busy_ = false;
  if (response.status == 200) {
    const json document = json::parse(response.body, nullptr, false);
    auto parsed = config::config_from_json(document);
    const auto tag = response.headers.find("etag");
    if (document.is_discarded() || !parsed.ok() || tag == response.headers.end())
      return fail("GET /api/v1/config: the answer is no configuration that this version knows");
    state_ = std::move(parsed.value);
    tag_ = tag->second;
    known_ = true;
  } else if (response.status != 304 || !known_) {
    return fail(response.status == 0 ? response.error
                                     : "GET /api/v1/config: status " + std::to_string(response.status));
  }
  read_at_ = Clock::now();
  backoff_.reset();
  if (!last_failure_.empty())
    log_line("info", "appliance", {{"appliance", name_}, {"state", "reachable again"}});
  last_failure_.clear();
  const bool news = response.status == 200 || !reachable_;
  reachable_ = true;
  if (news) changed_();  // May call want(), and so compare().
  if (!busy_) compare();
}

void Appliance::compare() {
  loop_.cancel(pending_);
  const auto now = Clock::now();
  if (wanted_) {
    Change change = diff(state_, wanted_->translation, mark_, refused_, lingering_, now);
    if (!change.empty()) return send(first_step(std::move(change)));
    if (acknowledged_ != wanted_->version) {
      acknowledged_ = wanted_->version;
      done_();
      if (busy_) return;
    }
  }
  // Whatever comes first: a member that has lingered long enough, or another look. Counted from the last one:
  // a cluster that changes all the time brings us here more often than that.
  loop_.cancel(pending_);
  const auto look = read_at_ + kLookAgain;
  if (const auto next = lingering_.next(now); next < look) return wait(next - now, &Appliance::compare);
  wait(look - now, &Appliance::read);
}

void Appliance::send(Change change) {
  ++counters_.changes;
  counters_.objects += change.size();
  busy_ = true;
  HttpRequest r;
  r.method = "PATCH";
  r.path = change.override_manager ? "/api/v1/config?override_manager=true" : "/api/v1/config";
  r.timeout = std::chrono::seconds(60);
  r.headers = {"Content-Type: application/json", "If-Match: " + tag_, "Sluice-Manager: " + mark_};
  r.body = change.to_json().dump(-1, ' ', false, json::error_handler_t::replace);
  auto shared = std::make_shared<Change>(std::move(change));
  pending_ = loop_.start(*server_, std::move(r),
                         [this, shared](HttpResponse response) { on_answer(*shared, response); });
}

void Appliance::on_answer(const Change& change, const HttpResponse& response) {
  busy_ = false;
  if (response.status == 412) return read();  // Somebody else changed it meanwhile.
  if (response.status == 422 || response.status == 409) {
    if (note_refusals(change, response)) {
      changed_();
      if (!busy_) compare();
      return;
    }
  }
  const auto tag = response.headers.find("etag");
  if (response.status != 200 || tag == response.headers.end()) {
    const json problem = json::parse(response.body, nullptr, false);
    return fail(response.status == 0 ? response.error
                                     : "PATCH /api/v1/config: status " + std::to_string(response.status) +
                                           " " + text(problem, "detail"));
  }
  backoff_.reset();
  reachable_ = true;
  apply(change, state_);
  tag_ = tag->second;
  for (const auto& [member, ids] : change.remove) {
    for (const std::string& id : ids) refused_.erase(member + "/" + id), refusals_.erase(member + "/" + id);
  }
  // The appliance chooses the addresses of new load balancers.
  for (const auto& [id, lb] : change.put.load_balancers) {
    if (lb.addresses.empty()) return tag_.clear(), read();
  }
  // Members and rules decide nothing of what is wanted; load balancers and listeners do.
  const bool decides = !change.put.load_balancers.empty() || !change.put.listeners.empty() ||
                       change.remove.contains("load_balancers") || change.remove.contains("listeners");
  if (decides || !wanted_ || acknowledged_ == wanted_->version) (decides ? changed_ : done_)();
  if (!busy_) compare();
}

/// What is wrong is left out from now on, each object by itself. False: the appliance did not say what it
/// was.
bool Appliance::note_refusals(const Change& change, const HttpResponse& response) {
  const json problem = json::parse(response.body, nullptr, false);
  bool any = false;
  if (!problem.is_object() || !problem.contains("errors") || !problem["errors"].is_array()) return false;
  for (const json& e : problem["errors"]) {
    const auto object = sent_object(text(e, "path"));
    if (!object) continue;
    std::string key;
    const auto& [member, index] = *object;
    const bool found = refuse<config::Rule>(change, member, index, refused_, key) ||
                       refuse<config::Listener>(change, member, index, refused_, key) ||
                       refuse<config::ServerGroup>(change, member, index, refused_, key) ||
                       refuse<config::AccessControlList>(change, member, index, refused_, key) ||
                       refuse<config::LoadBalancer>(change, member, index, refused_, key) ||
                       refuse<config::Certificate>(change, member, index, refused_, key);
    if (!found) continue;
    ++counters_.refusals;
    refusals_[key] = text(e, "message");
    log_line("warning", "refused", {{"appliance", name_}, {"object", key}, {"message", text(e, "message")}});
    any = true;
  }
  return any;
}

void Appliance::fail(const std::string& why) {
  ++counters_.failures;
  if (why != last_failure_) log_line("warning", "appliance", {{"appliance", name_}, {"error", why}});
  last_failure_ = why;
  const bool news = reachable_;
  reachable_ = false;
  busy_ = true;  // Until the wait is over: what was sent may or may not have been applied.
  pending_ = loop_.after(backoff_.next(), [this] { read(); });
  if (news) changed_();
}

}  // namespace sluice::mgmt::ingress
