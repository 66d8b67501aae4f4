// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/housekeeper.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>

namespace sluice::mgmt::daemon {
namespace {

constexpr std::chrono::seconds kPause{1};
/// Between two looks at the same certificates.
constexpr std::int64_t kLookInterval = 60;  // seconds

}  // namespace

void Housekeeper::start() {
  thread_ = std::thread([this] { loop(); });
}

void Housekeeper::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Housekeeper::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    round(std::time(nullptr));
    lock.lock();
    wake_.wait_for(lock, kPause, [this] { return stopping_; });
  }
}

void Housekeeper::round(std::int64_t now) {
  look_at_certificates(now);
  rotate_ticket_keys(now);
  look_at_tls_engine(now);
}

void Housekeeper::look_at_tls_engine(std::int64_t now) {
  if (!tls_engine_state_) return;
  auto notice = engine_watch_.look(tls_engine_state_(), now);
  if (!notice) return;
  spdlog::log(notice->failing ? spdlog::level::err : spdlog::level::info, "TLS engine {}: {}", tls_engine_, notice->message);
  events_.add(notice->failing ? "tls_engine_failing" : "tls_engine_working", tls_engine_, std::move(notice->message));
}

void Housekeeper::rotate_ticket_keys(std::int64_t now) {
  const Status rotated = engine_.rotate_ticket_keys(now);
  if (!rotated && !rotation_failed_) spdlog::error("session tickets: the keys stay as they are: {}", rotated.error().message);
  rotation_failed_ = !rotated;
}

void Housekeeper::look_at_certificates(std::int64_t now) {
  const std::uint64_t revision = engine_.revision();
  const bool due = looked_at_ == 0 || revision != revision_ || now >= looked_at_ + kLookInterval || now < looked_at_;
  if (!due) return;
  revision_ = revision;
  looked_at_ = now;
  tell(expiry_.look(engine_.certificate_expiries(), now), "certificate", "certificate");
  tell(revocations_.look(engine_.revocation_expiries(), now), "list of revoked certificates of authority", "revocation_list");
}

void Housekeeper::tell(std::vector<ExpiryWatch::Notice> notices, const char* what, const std::string& event) {
  for (ExpiryWatch::Notice& n : notices) {
    spdlog::log(n.expired ? spdlog::level::err : spdlog::level::warn, "{} {} {}", what, n.certificate, n.message);
    events_.add(event + (n.expired ? "_expired" : "_expiring"), std::move(n.certificate), std::move(n.message));
  }
}

}  // namespace sluice::mgmt::daemon
