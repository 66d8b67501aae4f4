// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/k8s/lease.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "mgmt/ingress/log.h"
#include "mgmt/ingress/model/json_access.h"
#include "mgmt/ingress/wall_clock.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

constexpr const char* kNote = "sluice.dev/appliances";

std::string path_of(const LeaseElection::Settings& s) {
  return "/apis/coordination.k8s.io/v1/namespaces/" + s.ns + "/leases";
}

HttpRequest read_request(const LeaseElection::Settings& s, std::chrono::seconds timeout) {
  HttpRequest r;
  r.path = path_of(s) + "/" + s.name;
  r.timeout = timeout;
  return r;
}

json parsed(const HttpResponse& response) {
  json out = json::parse(response.body, nullptr, false);
  return out.is_object() ? out : json::object();
}

std::string text_at(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  return object.contains(at) && object[at].is_string() ? object[at].get<std::string>() : "";
}

}  // namespace

LeaseElection::LeaseElection(HttpLoop& loop, const Server& server, Settings settings, std::function<void(bool)> changed,
                             std::function<void()> noted)
    : loop_(loop),
      server_(server),
      settings_(std::move(settings)),
      changed_(std::move(changed)),
      noted_(std::move(noted)),
      written_("") {}  // As long as there is no Lease.

LeaseElection::~LeaseElection() { loop_.cancel(pending_); }

void LeaseElection::set_leader(bool leader) {
  if (leader == leader_) return;
  leader_ = leader;
  log_line("info", leader ? "leading" : "following", {{"holder", leader ? settings_.identity : holder_}});
  changed_(leader);
}

/// Who cannot renew must stop before others may start.
void LeaseElection::give_up_when_late() {
  if (leader_ && HttpLoop::Clock::now() - renewed_ > settings_.deadline) set_leader(false);
}

void LeaseElection::again() {
  resting_ = true;
  pending_ = loop_.after(settings_.renew, [this] { read(); });
}

bool LeaseElection::keep(std::string note) {
  if (!leader_) return false;
  note_ = std::move(note);
  if (written_ == note_) return true;
  if (!resting_) return false;  // What is on its way comes back, and goes again.
  loop_.cancel(pending_);
  read();
  return false;
}

void LeaseElection::read() {
  resting_ = false;
  give_up_when_late();
  asked_ = HttpLoop::Clock::now();
  pending_ = loop_.start(server_, read_request(settings_, std::chrono::seconds(3)),
                         [this](HttpResponse response) { on_read(response); });
}

void LeaseElection::on_read(const HttpResponse& response) {
  const auto written = [this](const HttpResponse& r, const std::string& note) { on_written(r, note); };
  if (response.status == 404) return write(settings_.identity, false, written);
  if (response.status != 200) {
    give_up_when_late();
    return again();
  }
  const json lease = parsed(response);
  const std::string version = text_at(lease, "/metadata/resourceVersion");
  if (version != version_) {
    version_ = version;
    version_seen_ = HttpLoop::Clock::now();
  }
  holder_ = text_at(lease, "/spec/holderIdentity");
  if (!leader_) written_ = note_ = text(member(member(member(lease, "metadata"), "annotations"), kNote));
  const json::json_pointer transitions("/spec/leaseTransitions");
  transitions_ = lease.contains(transitions) && lease[transitions].is_number_integer()
                     ? lease[transitions].get<int>()
                     : 0;
  if (holder_ == settings_.identity) {
    acquired_ = text_at(lease, "/spec/acquireTime");
    return write(settings_.identity, true, written);
  }
  set_leader(false);
  if (holder_.empty() || HttpLoop::Clock::now() - version_seen_ > settings_.duration) {
    ++transitions_;
    acquired_.clear();
    return write(settings_.identity, true, written);
  }
  again();
}

void LeaseElection::write(const std::string& holder, bool exists, Written done) {
  const std::string now = rfc3339_now(true);
  if (acquired_.empty()) acquired_ = now;
  json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                {"kind", "Lease"},
                {"metadata", {{"name", settings_.name}, {"namespace", settings_.ns}}},
                {"spec",
                 {{"holderIdentity", holder},
                  {"leaseDurationSeconds", holder.empty() ? 1 : settings_.duration.count()},
                  {"acquireTime", acquired_},
                  {"renewTime", now},
                  {"leaseTransitions", transitions_}}}};
  if (written_ != note_) written_.reset();
  if (!note_.empty()) lease["metadata"]["annotations"] = {{kNote, note_}};
  HttpRequest r;
  r.method = exists ? "PUT" : "POST";
  r.path = path_of(settings_) + (exists ? "/" + settings_.name : "");
  if (exists)
    lease["metadata"]["resourceVersion"] = version_;  // A conflict means that somebody else was faster.
  r.headers.push_back("Content-Type: application/json");
  r.body = lease.dump();
  r.timeout = std::chrono::seconds(3);
  pending_ = loop_.start(server_, std::move(r),
                         [done = std::move(done), note = note_](const HttpResponse& response) { done(response, note); });
}

void LeaseElection::on_written(const HttpResponse& response, const std::string& note) {
  if (response.good()) {
    renewed_ = asked_;  // The Lease is not younger than when we asked.
    version_ = text_at(parsed(response), "/metadata/resourceVersion");
    version_seen_ = renewed_;
    holder_ = settings_.identity;
    const bool news = written_ != note;
    written_ = note;
    set_leader(true);
    if (note != note_) return read();
    if (news) noted_();
  } else {
    give_up_when_late();
  }
  again();
}

void LeaseElection::release(std::function<void()> done) {
  loop_.cancel(pending_);
  pending_ = 0;
  if (!leader_) return done();
  set_leader(false);
  // Read before it is written: the renewal that was cancelled may have changed its version.
  HttpRequest r = read_request(settings_, std::chrono::seconds(2));
  pending_ = loop_.start(server_, std::move(r), [this, done = std::move(done)](HttpResponse response) {
    const json lease = parsed(response);
    version_ = text_at(lease, "/metadata/resourceVersion");
    if (version_.empty() || text_at(lease, "/spec/holderIdentity") != settings_.identity) return done();
    write("", true, [done](const HttpResponse&, const std::string&) { done(); });
  });
}

}  // namespace sluice::mgmt::ingress
