// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/events.h"

#include <chrono>

namespace sluice::mgmt::rest {

void EventLog::add(std::string type, std::string subject, std::string message) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::lock_guard lock(mutex_);
  events_.push_back({next_++, ms, std::move(type), std::move(subject), std::move(message)});
  if (events_.size() > kCapacity) events_.pop_front();
}

std::vector<Event> EventLog::after(std::uint64_t after, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<Event> out;
  for (const Event& e : events_) {
    if (e.id > after && out.size() < limit) out.push_back(e);
  }
  return out;
}

std::uint64_t EventLog::last_id() const {
  const std::lock_guard lock(mutex_);
  return next_ - 1;
}

}  // namespace sluice::mgmt::rest
