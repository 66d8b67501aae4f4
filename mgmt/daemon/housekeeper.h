// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mgmt/daemon/engine_watch.h"
#include "mgmt/daemon/expiry_watch.h"
#include "mgmt/engine/engine.h"
#include "mgmt/rest/events.h"

namespace sluice::mgmt::daemon {

/// The thread for what the clock brings about: certificates and lists of revoked ones that come near their end, and a TLS engine that fails,
/// become log lines and events; keys of session tickets are rotated.
class Housekeeper {
 public:
  Housekeeper(Engine& engine, rest::EventLog& events) : engine_(engine), events_(events) {}
  ~Housekeeper() { stop(); }

  /// Before start(): there is a TLS engine of this name, of which `state` tells.
  void watch_tls_engine(std::string name, std::function<TlsEngineState()> state) {
    tls_engine_ = std::move(name);
    tls_engine_state_ = std::move(state);
  }
  void start();
  void stop();

  /// One round, as the thread does each second. `now`: Unix time, seconds.
  void round(std::int64_t now);

 private:
  void loop();
  void look_at_certificates(std::int64_t now);
  void tell(std::vector<ExpiryWatch::Notice> notices, const char* what, const std::string& event);
  void rotate_ticket_keys(std::int64_t now);
  void look_at_tls_engine(std::int64_t now);

  Engine& engine_;
  rest::EventLog& events_;
  ExpiryWatch expiry_, revocations_ = ExpiryWatch::of_revocations();
  EngineWatch engine_watch_;
  std::string tls_engine_;
  std::function<TlsEngineState()> tls_engine_state_;  ///< Empty: there is none.
  std::uint64_t revision_ = 0;      ///< Whose certificates were looked at last, and when.
  std::int64_t looked_at_ = 0;
  bool rotation_failed_ = false;    ///< Told already.

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::mgmt::daemon
