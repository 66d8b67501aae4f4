// SPDX-License-Identifier: Apache-2.0
#include "mgmt/store/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace sluice::mgmt::store {
namespace {

std::string errno_text() { return std::generic_category().message(errno); }

Status make_folder(const std::string& path) {
  std::error_code wrong;
  const std::filesystem::path folder(path);
  if (std::filesystem::is_directory(folder, wrong)) return Ok{};
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), wrong);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return Error{"data folder " + path + ": " + errno_text()};
  return Ok{};
}

/// Who holds the lock, as far as he wrote it down.
std::string holder(int lock) {
  char text[32] = {};
  const ssize_t n = pread(lock, text, sizeof text - 1, 0);
  std::string pid(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return pid.empty() ? "another instance" : "another instance (process " + pid + ")";
}

}  // namespace

Result<DataFolder> DataFolder::open(const std::string& path) {
  if (path.empty()) return Error{"data folder: no path given"};
  if (Status made = make_folder(path); !made) return made.error();
  const std::string file = path + "/lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return Error{"data folder " + path + ": cannot open the lock file: " + errno_text()};
  DataFolder out(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error{"data folder " + path + ": cannot lock: " + errno_text()};
    return Error{"data folder " + path + ": in use by " + holder(lock) +
                 "; give each instance a folder of its own"};
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  // Only a help for people: on a full disk the lock holds all the same.
  if (ftruncate(lock, 0) == 0) [[maybe_unused]]
    const ssize_t n = pwrite(lock, pid.data(), pid.size(), 0);
  return out;
}

DataFolder::~DataFolder() {
  if (lock_ >= 0) close(lock_);
}

Result<std::string> DataFolder::file(const std::string& name) const {
  const std::string out = path_ + "/" + name;
  const int fd = ::open(out.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Error{out + ": " + errno_text()};
  // It holds private keys, whoever made it. Journal and shared memory files inherit the mode.
  const bool closed_to_others = fchmod(fd, 0600) == 0;
  const std::string why = errno_text();
  close(fd);
  if (!closed_to_others) return Error{out + ": cannot set its mode: " + why};
  return out;
}

}  // namespace sluice::mgmt::store
