// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/record_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "mgmt/daemon/access_log.h"

namespace sluice::mgmt::daemon {
namespace {

using std::chrono::milliseconds;

// Rings hold about a tenth of a second of a worker at its fastest; an idle writer may sleep half of that.
constexpr milliseconds kShortest{1}, kLongest{50};
constexpr unsigned kBatch = 1024;  ///< Records of one ring before the next one's turn.

std::int64_t unix_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

RecordWriter::RecordWriter(std::string path, l7::proxy::Shared& shared, const Engine& engine,
                           rest::EventLog& events)
    : shared_(shared), engine_(engine), events_(events) {
  if (!path.empty()) file_ = std::make_unique<LineFile>(std::move(path));
}

RecordWriter::~RecordWriter() { stop(); }

Status RecordWriter::start() {
  if (file_) {
    if (const Status s = file_->open(); !s) return Error{"access log " + s.error().message};
  }
  thread_ = std::thread([this] { loop(); });
  return Ok{};
}

void RecordWriter::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  thread_.join();
}

void RecordWriter::loop() {
  milliseconds pause = kShortest;
  for (;;) {
    const bool last = stopping_.load(std::memory_order_acquire);
    const bool busy = drain();
    if (file_) file_->flush();
    tell_of_losses();
    if (last && !busy) return;
    pause = busy ? kShortest : std::min(pause * 2, kLongest);
    if (!last) std::this_thread::sleep_for(pause);
  }
}

bool RecordWriter::drain() {
  bool any = false;
  const std::int64_t now = unix_ms();
  l7::AccessRecord record;
  for (const auto& ring : shared_.access_logs) {
    for (unsigned i = 0; i < kBatch && ring->pop(record); ++i) {
      any = true;
      if (!file_) continue;
      line_.clear();
      append_access_line(line_, record, now);
      file_->add(line_);
    }
  }
  l7::HealthEvent event;
  for (const auto& ring : shared_.health_events) {
    while (ring->pop(event)) tell(event);
  }
  return any;
}

void RecordWriter::tell(const l7::HealthEvent& event) {
  std::string name = engine_.name_of(BackendSlot{event.backend_slot});
  if (name.empty()) return;  // The member was taken out meanwhile.
  const std::string detail(event.detail.view());
  if (event.up) {
    spdlog::info("health: {} is up", name);
  } else {
    spdlog::warn("health: {} is down: {}", name, detail);
  }
  events_.add(event.up ? "member_up" : "member_down", std::move(name), detail);
}

void RecordWriter::tell_of_losses() {
  if (!file_) return;
  const bool losing = file_->last_error() != 0;
  if (losing && !losing_) {
    const std::string why = std::strerror(file_->last_error());
    spdlog::error("access log: lines are being lost: {}", why);
    events_.add("access_log_failing", "access log", why);
  } else if (!losing && losing_) {
    spdlog::info("access log: written again; {} lines were lost so far", file_->lost());
    events_.add("access_log_written", "access log", "written again");
  }
  losing_ = losing;
}

}  // namespace sluice::mgmt::daemon
