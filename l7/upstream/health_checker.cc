// SPDX-License-Identifier: Apache-2.0
#include "l7/upstream/health_checker.h"

#include <algorithm>
#include <string>
#include <utility>

#include "l7/http1/head_storage.h"
#include "l7/http1/parser.h"
#include "l7/http1/writer.h"

namespace sluice::l7::upstream {
namespace {

using Health = BackendTable::Health;

std::string_view describe(l4::CloseReason reason) {
  switch (reason) {
    case l4::CloseReason::kRefused:
      return "connection refused";
    case l4::CloseReason::kUnreachable:
      return "unreachable";
    case l4::CloseReason::kTimeout:
      return "timeout";
    case l4::CloseReason::kPeerReset:
      return "connection reset";
    case l4::CloseReason::kNoResources:
      return "no resources";
    case l4::CloseReason::kNormal:
    case l4::CloseReason::kProtocolError:
      return "connection closed";
  }
  return "connection closed";
}

/// Our own shortage says nothing about the backend.
bool blames_backend(l4::CloseReason reason) { return reason != l4::CloseReason::kNoResources; }

}  // namespace

/// One member under watch. waiting -> connecting -> (HTTP: answering) -> waiting.
class HealthChecker::Probe final : public l4::StreamEvents {
 public:
  Probe(HealthChecker& checker, const ServerGroup& group, const Member& member)
      : checker_(checker),
        check_(group.health_check),
        tls_(check_.kind == HealthCheck::Kind::kHttp ? group.tls : nullptr),
        slot_(member.slot),
        address_(member.address),
        timer_([](void* self, Instant now) { static_cast<Probe*>(self)->on_timer(now); }, this) {}

  bool same_as(const ServerGroup& group, const Member& member) const {
    return check_ == group.health_check && address_ == member.address &&
           (check_.kind != HealthCheck::Kind::kHttp || tls_ == group.tls);
  }
  BackendSlot slot() const { return slot_; }

  void start(Instant now) {
    // The first probe comes soon, but not all at once after a big change.
    const auto spread = std::min<std::int64_t>(check_.interval.count(), 200'000'000);
    checker_.timers_.arm(timer_, now + Duration(jitter(spread)));
  }
  void stop(Instant now) {
    timer_.disarm();
    drop_stream(now);
  }

  std::uint64_t round = 0;

 private:
  void on_open(Instant now) override {
    if (check_.kind == HealthCheck::Kind::kTcp) {
      succeed(now);
      return;
    }
    parser_ = http1::ResponseParser(http1::Limits{});
    BufChain out;
    http1::HeadWriter head(out, checker_.buffers_);
    head.request_line(check_.method, check_.path);
    head.field("Host", host());
    head.field("User-Agent", "sluice-health-check");
    head.field("Connection", "close");
    if (!head.finish()) {
      again(now);
      return;
    }
    stream_->send(std::move(out), now);
  }

  void on_data(BufChain data, Instant now) override {
    stream_->consumed(data.size(), now);
    in_.append(std::move(data));
    for (;;) {
      const http::Method method = check_.method == "HEAD" ? http::Method::kHead : http::Method::kGet;
      http::ResponseHead head;
      const http1::ParseResult result = parser_.parse(in_, method, storage_, head, checker_.buffers_);
      if (result.status == http1::ParseStatus::kNeedMore) return;
      if (result.status == http1::ParseStatus::kError) {
        fail("malformed response", now);
        return;
      }
      if (head.status < 200) continue;  // Interim (RFC 9110, 15.2).
      judge(head.status, now);
      return;
    }
  }

  void on_writable(Instant) override {}
  void on_peer_closed(Instant now) override { fail("closed without a response", now); }
  void on_closed(l4::CloseReason reason, Instant now) override {
    const bool tls_failed = tls_stream_ != nullptr && reason == l4::CloseReason::kProtocolError;
    const std::string why = tls_failed ? "TLS: " + std::string(tls_stream_->last_error()) : std::string(describe(reason));
    stream_ = nullptr;
    tls_stream_ = nullptr;
    if (blames_backend(reason))
      fail(why, now);
    else
      again(now);
  }

  void on_timer(Instant now) {
    if (stream_ != nullptr) {
      fail("timeout", now);
      return;
    }
    const Endpoint to{address_.address, check_.port != 0 ? check_.port : address_.port};
    const Connecting result = checker_.connector_.connect(to, tls_, this, now);
    if (result.stream != nullptr) {
      stream_ = result.stream;
      tls_stream_ = result.tls;
      checker_.timers_.arm(timer_, now + check_.timeout);
    } else if (blames_backend(result.reason)) {
      fail(describe(result.reason), now);
    } else {
      again(now);
    }
  }

  void judge(std::uint16_t status, Instant now) {
    const bool healthy =
        std::any_of(check_.statuses.begin(), check_.statuses.end(),
                    [status](const auto& range) { return status >= range.first && status <= range.second; });
    if (healthy)
      succeed(now);
    else
      fail("status " + std::to_string(status), now);
  }

  void succeed(Instant now) {
    failures_ = 0;
    ++successes_;
    const Health before = checker_.backends_.health(slot_);
    // What was never judged is taken at its first word; what was down has to prove itself.
    if (before == Health::kUnknown || (before == Health::kDown && successes_ >= check_.healthy_threshold)) {
      change(Health::kUp, "healthy");
    }
    again(now);
  }

  void fail(std::string_view why, Instant now) {
    successes_ = 0;
    ++failures_;
    if (checker_.backends_.health(slot_) != Health::kDown && failures_ >= check_.unhealthy_threshold) {
      change(Health::kDown, why);
    }
    again(now);
  }

  void change(Health to, std::string_view why) {
    checker_.backends_.set_health(slot_, to);
    HealthEvent event;
    event.backend_slot = slot_.value;
    event.up = to == Health::kUp;
    event.detail.assign(why);
    checker_.events_.push(std::move(event));  // Full: the state itself is in the table.
  }

  /// Next probe one interval from now, give or take a tenth, so that probes of many members drift apart.
  void again(Instant now) {
    drop_stream(now);
    const std::int64_t tenth = check_.interval.count() / 10;
    checker_.timers_.arm(timer_, now + check_.interval - Duration(tenth) + Duration(jitter(2 * tenth)));
  }

  void drop_stream(Instant now) {
    in_.clear();
    storage_.clear();
    tls_stream_ = nullptr;
    if (l4::Stream* s = std::exchange(stream_, nullptr)) s->abort(now);
  }

  /// What the certificate is for is what is asked.
  std::string host() const {
    if (!check_.host.empty()) return check_.host;
    return tls_ != nullptr && !tls_->server_name.empty() ? tls_->server_name : address_.to_string();
  }

  std::int64_t jitter(std::int64_t below) {
    return below <= 0 ? 0
                      : static_cast<std::int64_t>(checker_.next_random() % static_cast<std::uint64_t>(below));
  }

  HealthChecker& checker_;
  const HealthCheck check_;
  const Tls tls_;
  const BackendSlot slot_;
  const Endpoint address_;
  Timer timer_;
  l4::Stream* stream_ = nullptr;
  tls::TlsStream* tls_stream_ = nullptr;
  BufChain in_;
  http1::HeadStorage storage_;
  http1::ResponseParser parser_{http1::Limits{}};
  std::uint32_t successes_ = 0, failures_ = 0;
};

HealthChecker::HealthChecker(Connector& connector, TimerWheel& timers, BufPool& buffers,
                             BackendTable& backends, HealthRing& events, WorkerId worker,
                             std::uint32_t workers, std::uint64_t seed)
    : connector_(connector),
      timers_(timers),
      buffers_(buffers),
      backends_(backends),
      events_(events),
      worker_(worker),
      workers_(workers),
      random_(seed) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::follow(const Snapshot& snapshot, Instant now) {
  ++round_;
  for (const auto& group : snapshot.groups) {
    if (group == nullptr || group->health_check.kind == HealthCheck::Kind::kNone) continue;
    for (const Member& m : group->members) {
      if (m.slot.value % workers_ == worker_.value) follow_member(*group, m, now);
    }
  }
  for (std::size_t i = probes_.size(); i-- > 0;) {
    Probe& probe = *probes_[i];
    if (probe.round == round_) continue;
    probe.stop(now);
    if (by_slot_[probe.slot().value] == &probe) {
      by_slot_[probe.slot().value] = nullptr;
      backends_.set_health(probe.slot(), Health::kUnknown);
    }
    probes_[i] = std::move(probes_.back());
    probes_.pop_back();
  }
}

void HealthChecker::follow_member(const ServerGroup& group, const Member& member, Instant now) {
  if (member.slot.value >= by_slot_.size()) by_slot_.resize(member.slot.value + 1);
  Probe*& entry = by_slot_[member.slot.value];
  if (entry == nullptr || !entry->same_as(group, member)) {
    // A changed check of the same backend keeps its verdict until the new check says otherwise; the replaced
    // probe is not marked and ends in follow().
    probes_.push_back(std::make_unique<Probe>(*this, group, member));
    entry = probes_.back().get();
    entry->start(now);
  }
  entry->round = round_;
}

void HealthChecker::stop(Instant now) {
  for (auto& probe : probes_) probe->stop(now);
  probes_.clear();
  by_slot_.clear();
}

std::uint64_t HealthChecker::next_random() {
  // splitmix64 (Steele, Lea and Flood 2014).
  std::uint64_t z = (random_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace sluice::l7::upstream
