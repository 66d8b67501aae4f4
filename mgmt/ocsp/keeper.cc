// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/keeper.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <random>
#include <set>
#include <utility>

#include "mgmt/ocsp/schedule.h"

namespace sluice::mgmt::ocsp {
namespace {

constexpr std::chrono::seconds kPause{1};
using Level = Notice::Level;

double random_fraction() {
  static thread_local std::mt19937_64 source{std::random_device{}()};
  return std::uniform_real_distribution<double>()(source);
}

Keeper::Options with_random(Keeper::Options o) {
  if (!o.random) o.random = random_fraction;
  return o;
}

}  // namespace

std::string_view to_string(OcspState s) {
  static constexpr std::array<std::string_view, 6> kNames = {"stapled", "missing", "off", "unused", "no_responder", "no_issuer"};
  return kNames[static_cast<std::size_t>(s)];
}

Keeper::Keeper(Options options, Engine& engine, Fetcher& fetcher, Tell tell)
    : options_(with_random(std::move(options))), engine_(engine), fetcher_(fetcher), tell_(std::move(tell)),
      files_(options_.folder) {}

void Keeper::start() {
  thread_ = std::thread([this] { loop(); });
}

void Keeper::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(wake_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  fetcher_.cancel();
  thread_.join();
}

void Keeper::loop() {
  std::unique_lock lock(wake_mutex_);
  while (!stopping_) {
    lock.unlock();
    const bool more = step(std::time(nullptr));
    lock.lock();
    if (!more) wake_.wait_for(lock, kPause, [this] { return stopping_; });
  }
}

void Keeper::restore(std::int64_t now) {
  {
    const std::lock_guard lock(mutex_);
    follow(now);
  }
  publish();
  tell_all();
}

bool Keeper::step(std::int64_t now) {
  std::optional<Question> question;
  {
    const std::lock_guard lock(mutex_);
    follow(now);
    expire(now);
    question = next_question(now);
  }
  if (question) {
    Answer answer = fetcher_.post(question->url, make_request(*question->certificate));
    const std::lock_guard lock(mutex_);
    take(*question, std::move(answer), now);
  }
  // Ten thousand answers in a row are not worth as many snapshots.
  if (!question || now != published_at_) {
    publish();
    published_at_ = now;
  }
  tell_all();
  return question.has_value();
}

/// What is configured by now.
void Keeper::follow(std::int64_t now) {
  const std::uint64_t revision = engine_.revision();
  if (followed_ == revision) return;
  followed_ = revision;
  std::map<std::string, Entry> next;
  std::set<std::string> fingerprints;
  for (const RunningCertificate& running : engine_.certificates()) {
    const auto had = entries_.find(running.id);
    const bool same = had != entries_.end() && had->second.certificate == running.certificate &&
                      had->second.idle == idle_state(running, had->second.facts);
    const auto [at, added] = next.emplace(running.id, same ? std::move(had->second) : make_entry(running, now));
    Entry& e = at->second;
    if (e.wanted()) fingerprints.insert(e.certificate->fingerprint_sha256());
    if (!same && running.presented) tell_missing(running.id, e);
    if (!same && e.response) tell_revoked(running.id, e);
  }
  entries_ = std::move(next);
  std::erase_if(responders_, [&](const auto& r) {
    return std::none_of(entries_.begin(), entries_.end(), [&](const auto& e) { return url_of(e.second) == r.first; });
  });
  files_.keep_only(fingerprints);
  changed_ = true;
}

OcspState Keeper::idle_state(const RunningCertificate& running, const Facts& facts) const {
  if (!running.presented) return OcspState::kUnused;
  if (!options_.stapling || !running.ocsp_stapling) return OcspState::kOff;
  if (facts.url.empty() && options_.responder.empty()) return OcspState::kNoResponder;
  return facts.has_issuer ? OcspState::kMissing : OcspState::kNoIssuer;
}

Keeper::Entry Keeper::make_entry(const RunningCertificate& running, std::int64_t now) {
  Entry e;
  e.certificate = running.certificate;
  e.facts = facts_of(*running.certificate);
  e.idle = idle_state(running, e.facts);
  e.next_request = now;
  if (!e.wanted()) return e;
  const auto kept = files_.read(e.certificate->fingerprint_sha256());
  if (!kept) return e;
  auto judged = verify(*e.certificate, *kept, now);
  auto* response = std::get_if<Response>(&judged);
  if (response == nullptr) return e;
  // It may have been there for most of its life.
  const std::int64_t half = response->this_update + (response->next_update - response->this_update) / 2;
  if (half > now) e.next_request = refresh_at(response->this_update, response->next_update, now, options_.random());
  adopt(e, std::move(*response));
  return e;
}

void Keeper::adopt(Entry& e, Response response) {
  e.staple = std::make_shared<const l7::tls::Staple>(
      l7::tls::Staple{e.certificate, std::move(response.der), response.next_update});
  response.der.clear();
  e.response = std::move(response);
  e.told_missing = false;
  changed_ = true;
}

void Keeper::expire(std::int64_t now) {
  for (auto& [id, e] : entries_) {
    if (!e.response || now < e.response->next_update) continue;
    e.response.reset();
    e.staple.reset();
    changed_ = true;
    note(Level::kWarning, "ocsp_expired", id, "the last OCSP response has ended; nothing is stapled until there is a new one");
    tell_missing(id, e);
  }
}

/// Of those that are due, whose responder is not down, the one that waits longest.
std::optional<Keeper::Question> Keeper::next_question(std::int64_t now) const {
  const std::pair<const std::string, Entry>* chosen = nullptr;
  for (const auto& one : entries_) {
    const Entry& e = one.second;
    if (!e.wanted() || e.next_request > now) continue;
    if (chosen != nullptr && chosen->second.next_request <= e.next_request) continue;
    const auto responder = responders_.find(url_of(e));
    if (responder != responders_.end() && responder->second.not_before > now) continue;
    chosen = &one;
  }
  if (chosen == nullptr) return std::nullopt;
  return Question{chosen->first, url_of(chosen->second), chosen->second.certificate};
}

void Keeper::take(const Question& asked, Answer answer, std::int64_t now) {
  ++totals_.requests;
  if (answer.responder_down) {
    Responder& down = responders_[asked.url];
    down.not_before = now + retry_after(++down.failures, options_.random());
  } else {
    responders_.erase(asked.url);
  }
  const auto found = entries_.find(asked.id);
  if (found == entries_.end() || found->second.certificate != asked.certificate || !found->second.wanted()) return;
  Entry& e = found->second;
  if (answer.problem) return fail(asked.id, e, std::move(*answer.problem), now);
  auto judged = verify(*e.certificate, answer.body, now);
  if (auto* wrong = std::get_if<Problem>(&judged)) return fail(asked.id, e, std::move(*wrong), now);
  Response& response = std::get<Response>(judged);
  // Who sits between us and the responder could otherwise put the last good answer in place of the revocation.
  if (e.response && response.this_update < e.response->this_update)
    return fail(asked.id, e, {Failure::kOlder, "the response is older than the one that is stapled"}, now);
  accept(asked.id, e, std::move(response), now);
}

void Keeper::accept(const std::string& id, Entry& e, Response response, std::int64_t now) {
  const bool first = !e.response;
  if (const Status kept = files_.write(e.certificate->fingerprint_sha256(), response.der); !kept)
    note(Level::kWarning, "", id, "the OCSP response is stapled, but will not outlive a restart: " + kept.error().message);
  e.next_request = refresh_at(response.this_update, response.next_update, now, options_.random());
  adopt(e, std::move(response));
  if (e.failures > 0) {
    note(Level::kInfo, "ocsp_recovered", id, "an OCSP response has come from " + url_of(e));
  } else if (first) {
    note(Level::kInfo, "", id, "an OCSP response is stapled, from " + url_of(e));
  }
  e.failures = 0;
  e.problem.reset();
  tell_revoked(id, e);
}

void Keeper::fail(const std::string& id, Entry& e, Problem problem, std::int64_t now) {
  ++totals_.failures[static_cast<std::size_t>(problem.reason)];
  e.next_request = now + retry_after(++e.failures, options_.random());
  if (e.failures == 1) note(Level::kWarning, "ocsp_failing", id, "no OCSP response from " + url_of(e) + ": " + problem.message);
  e.problem = std::move(problem);
  tell_missing(id, e);
}

void Keeper::tell_revoked(const std::string& id, Entry& e) {
  const bool revoked = e.response && e.response->revoked;
  if (revoked && !e.told_revoked)
    note(Level::kError, "certificate_revoked", id, "its authority says that it is revoked; clients are told so");
  e.told_revoked = revoked;
}

/// A certificate that clients refuse without a staple, when there is none and none may be expected.
void Keeper::tell_missing(const std::string& id, Entry& e) {
  if (e.response || !e.facts.must_staple || e.told_missing || (e.wanted() && e.failures == 0)) return;
  e.told_missing = true;
  note(Level::kError, "must_staple_missing", id,
       "clients refuse this certificate without an OCSP response (must-staple), and there is none: " +
           (e.problem ? e.problem->message : std::string(to_string(e.idle))));
}

void Keeper::note(Level level, std::string event, const std::string& certificate, std::string message) {
  notices_.push_back({level, std::move(event), certificate, std::move(message)});
}

void Keeper::publish() {
  std::vector<std::shared_ptr<const l7::tls::Staple>> staples;
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(changed_, false)) return;
    for (const auto& [id, e] : entries_) {
      if (e.staple) staples.push_back(e.staple);
    }
  }
  if (staples == published_) return;
  engine_.set_staples(std::make_shared<const l7::tls::Staples>(staples));
  published_ = std::move(staples);
}

void Keeper::tell_all() {
  std::vector<Notice> notices;
  {
    const std::lock_guard lock(mutex_);
    notices.swap(notices_);
  }
  for (const Notice& n : notices) tell_(n);
}

CertificateOcsp Keeper::describe(const Entry& e) const {
  CertificateOcsp out;
  out.state = e.response ? OcspState::kStapled : e.idle;
  out.responder = url_of(e);
  out.must_staple = e.facts.must_staple;
  if (e.response) {
    out.revoked = e.response->revoked;
    out.this_update = e.response->this_update;
    out.next_update = e.response->next_update;
    out.revoked_at = e.response->revoked_at;
  }
  if (!e.wanted()) return out;
  const auto responder = responders_.find(out.responder);
  out.next_request = std::max(e.next_request, responder == responders_.end() ? 0 : responder->second.not_before);
  out.failures = e.failures;
  if (e.problem) {
    out.reason = to_string(e.problem->reason);
    out.error = e.problem->message;
  }
  return out;
}

std::optional<CertificateOcsp> Keeper::status(const std::string& certificate) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(certificate);
  return found == entries_.end() ? std::nullopt : std::optional(describe(found->second));
}

std::vector<std::pair<std::string, CertificateOcsp>> Keeper::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, CertificateOcsp>> out;
  out.reserve(entries_.size());
  for (const auto& [id, e] : entries_) out.emplace_back(id, describe(e));
  return out;
}

Totals Keeper::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace sluice::mgmt::ocsp
