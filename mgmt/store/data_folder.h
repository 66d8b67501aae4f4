// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "dataplane/base/result.h"

namespace sluice::mgmt::store {

/// The folder of one instance, made (mode 0700) when it is not there, and held by an exclusive lock on the
/// file "lock" in it until the object goes. A lock dies with its process: nothing is left to clean up after a
/// crash.
class DataFolder {
 public:
  static Result<DataFolder> open(const std::string& path);
  DataFolder(DataFolder&& other) noexcept
      : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}
  DataFolder& operator=(DataFolder&&) = delete;
  ~DataFolder();

  /// A file in it, made empty with mode 0600 when it is not there.
  Result<std::string> file(const std::string& name) const;

 private:
  DataFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

}  // namespace sluice::mgmt::store
