// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "l7/proxy/proxy_app.h"
#include "mgmt/daemon/line_file.h"
#include "mgmt/engine/engine.h"
#include "mgmt/rest/events.h"

namespace sluice::mgmt::daemon {

/// The one thread that empties the workers' rings: access records become lines of the access log, health
/// changes become log lines and events. Workers never wait for it; a full ring drops there and counts there.
class RecordWriter {
 public:
  /// `path`: "-" is standard output, "" writes none (the rings are emptied all the same).
  RecordWriter(std::string path, l7::proxy::Shared& shared, const Engine& engine, rest::EventLog& events);
  ~RecordWriter();

  Status start();
  /// Empties the rings a last time, writes and ends.
  void stop();
  void reopen() {
    if (file_) file_->request_reopen();
  }
  std::uint64_t lines_written() const { return file_ ? file_->written() : 0; }
  std::uint64_t lines_lost() const { return file_ ? file_->lost() : 0; }

 private:
  void loop();
  /// Whether there was anything.
  bool drain();
  void tell(const l7::HealthEvent& event);
  void tell_of_losses();

  l7::proxy::Shared& shared_;
  const Engine& engine_;
  rest::EventLog& events_;
  std::unique_ptr<LineFile> file_;
  std::string line_;
  bool losing_ = false;  ///< Told already.
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sluice::mgmt::daemon
