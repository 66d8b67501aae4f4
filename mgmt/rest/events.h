// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::mgmt::rest {

/// Something that happened, as shown by GET /api/v1/events.
struct Event {
  std::uint64_t id = 0;      ///< Rises by one; a client asks for what came after the last one it saw.
  std::int64_t time_ms = 0;  ///< Unix time.
  std::string
      type;  ///< "member_up", "config_changed", "certificate_expiring", "certificate_expired", "tls_engine_failing", "started"...
  std::string subject;  ///< "shop-servers/10.0.0.5:80", "revision 17"
  std::string message;
};

/// The last events, oldest first. Any thread.
class EventLog {
 public:
  static constexpr std::size_t kCapacity = 1024;

  void add(std::string type, std::string subject, std::string message);
  /// Events with an id above `after`, at most `limit` of them, the oldest of these first.
  std::vector<Event> after(std::uint64_t after, std::size_t limit) const;
  std::uint64_t last_id() const;

 private:
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  std::uint64_t next_ = 1;
};

}  // namespace sluice::mgmt::rest
