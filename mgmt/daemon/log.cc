// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/log.h"

#include <fmt/chrono.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <mutex>

#include "mgmt/daemon/json_text.h"
#include "mgmt/daemon/line_file.h"

namespace sluice::mgmt::daemon {
namespace {

/// A line a message, as text or as a JSON object; never fails its caller, whatever the disk does.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  LineSink(std::string path, bool json) : file_(std::move(path), STDERR_FILENO), json_(json) {}
  Status open() { return file_.open(); }
  void reopen() { file_.request_reopen(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line;
    if (json_) {
      append_json(line, message);
    } else {
      spdlog::memory_buf_t text;
      formatter_->format(message, text);
      line.assign(text.data(), text.size());
    }
    file_.add(line);
    file_.flush();
  }
  void flush_() override { file_.flush(); }

 private:
  static void append_json(std::string& line, const spdlog::details::log_msg& message) {
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch()).count();
    line = fmt::format("{{\"time\":\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\",\"level\":\"",
                       fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
    const auto level = spdlog::level::to_string_view(message.level);
    line.append(level.data(), level.size());
    line += "\",\"message\":";
    append_json_string(line, {message.payload.data(), message.payload.size()});
    line += "}\n";
  }

  LineFile file_;
  const bool json_;
};

std::shared_ptr<LineSink>& sink() {
  static std::shared_ptr<LineSink> the_sink;
  return the_sink;
}

}  // namespace

Status start_log(const Bootstrap::Log& config) {
  auto fresh = std::make_shared<LineSink>(config.file, config.format == Bootstrap::LogFormat::kJson);
  if (const Status s = fresh->open(); !s) return s;
  sink() = fresh;
  auto logger = std::make_shared<spdlog::logger>("sluiced", fresh);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  logger->set_level(spdlog::level::from_str(config.level == "error" ? "err" : config.level));
  spdlog::set_default_logger(std::move(logger));
  return Ok{};
}

void reopen_log() {
  if (sink()) sink()->reopen();
}

}  // namespace sluice::mgmt::daemon
