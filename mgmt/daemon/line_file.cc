// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/line_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice::mgmt::daemon {
namespace {

constexpr std::size_t kFlushAt = 64 * 1024;
constexpr std::size_t kPipePiece = 4096;  // PIPE_BUF: what poll() promises without waiting
constexpr int kPipeWaitMs = 1000;

}  // namespace

LineFile::LineFile(std::string path, int standard) : path_(std::move(path)), standard_(standard) {
  buffer_.reserve(2 * kFlushAt);
}

LineFile::~LineFile() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

Status LineFile::open() {
  const int fd =
      path_ == "-" ? standard_ : ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return Error{fmt::format("{}: {}", path_, std::strerror(errno))};
  if (fd_ > STDERR_FILENO) ::close(fd_);
  fd_ = fd;
  struct stat info {};
  regular_ = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
  torn_ = 0;
  return Ok{};
}

void LineFile::reopen_if_asked() {
  if (!reopen_.exchange(false, std::memory_order_relaxed) || path_ == "-") return;
  flush();  // what was logged before the rotation belongs to the old file
  buffer_.erase(0, torn_);
  torn_ = 0;
  if (const Status s = open(); !s) last_error_.store(errno, std::memory_order_relaxed);
}

void LineFile::add(std::string_view line) {
  reopen_if_asked();
  buffer_ += line;
  if (buffer_.size() >= kFlushAt) flush();
}

std::size_t LineFile::write_some() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    std::size_t piece = buffer_.size() - done;
    if (!regular_) {
      pollfd p{fd_, POLLOUT, 0};
      const int ready = ::poll(&p, 1, kPipeWaitMs);
      if (ready == 0) {
        last_error_.store(EAGAIN, std::memory_order_relaxed);
        return done;
      }
      piece = std::min(piece, kPipePiece);
    }
    const ssize_t n = ::write(fd_, buffer_.data() + done, piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      last_error_.store(n < 0 ? errno : EIO, std::memory_order_relaxed);
      return done;
    }
    done += static_cast<std::size_t>(n);
  }
  last_error_.store(0, std::memory_order_relaxed);
  return done;
}

void LineFile::flush() {
  reopen_if_asked();
  if (buffer_.empty()) return;
  const std::size_t done = write_some();
  written_.fetch_add(static_cast<std::uint64_t>(std::count(
                         buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(done), '\n')),
                     std::memory_order_relaxed);
  const bool torn = done > 0 ? buffer_[done - 1] != '\n' : torn_ > 0;
  buffer_.erase(0, done);
  torn_ = torn && !buffer_.empty() ? buffer_.find('\n') + 1 : 0;
  if (!buffer_.empty()) drop_whole_lines();
}

void LineFile::drop_whole_lines() {
  // The rest of a line that is half in the file stays, so that the file has no broken line once writing works
  // again.
  lost_.fetch_add(static_cast<std::uint64_t>(
                      std::count(buffer_.begin() + static_cast<std::ptrdiff_t>(torn_), buffer_.end(), '\n')),
                  std::memory_order_relaxed);
  buffer_.resize(torn_);
}

}  // namespace sluice::mgmt::daemon
