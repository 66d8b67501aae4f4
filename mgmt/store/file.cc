// SPDX-License-Identifier: Apache-2.0
#include "mgmt/store/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sluice::mgmt::store {
namespace {

Error error_of(const std::string& path, int code) { return Error{path + ": " + std::strerror(code)}; }

std::string fresh_name(const std::string& path) { return path + ".new"; }

/// 0, or errno.
int write_whole(int fd, std::string_view content) {
  const ssize_t n = ::write(fd, content.data(), content.size());
  if (n < 0) return errno;
  if (n != static_cast<ssize_t>(content.size())) return ENOSPC;
  return ::fsync(fd) == 0 ? 0 : errno;
}

/// Names are on the disk when their folder is.
Status sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return error_of(folder, errno);
  const int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return code == 0 ? Status(Ok{}) : error_of(folder, code);
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  if (!in || !(out << in.rdbuf())) return Error{path + ": " + (errno != 0 ? std::strerror(errno) : "is empty")};
  return std::move(out).str();
}

Status write_file(const std::string& path, std::string_view content, unsigned mode) {
  const std::string fresh = fresh_name(path);
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return error_of(fresh, errno);
  int code = write_whole(fd, content);
  ::close(fd);
  if (code == 0 && ::rename(fresh.c_str(), path.c_str()) != 0) code = errno;
  if (code == 0) return sync_folder_of(path);
  ::unlink(fresh.c_str());
  return error_of(path, code);
}

Status remove_file(const std::string& path) {
  for (const std::string& name : {path, fresh_name(path)}) {
    if (::unlink(name.c_str()) != 0 && errno != ENOENT) return error_of(name, errno);
  }
  return sync_folder_of(path);
}

}  // namespace sluice::mgmt::store
