// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/response_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "mgmt/store/file.h"

namespace sluice::mgmt::ocsp {
namespace {

constexpr const char* kEnding = ".der";

}  // namespace

std::string ResponseFiles::path_of(const std::string& fingerprint) const { return folder_ + "/" + fingerprint + kEnding; }

std::optional<std::string> ResponseFiles::read(const std::string& fingerprint) const {
  auto text = store::read_file(path_of(fingerprint));
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

Status ResponseFiles::write(const std::string& fingerprint, const std::string& der) const {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
    return Error{folder_ + ": " + std::generic_category().message(errno)};
  return store::write_file(path_of(fingerprint), der, 0600);
}

void ResponseFiles::keep_only(const std::set<std::string>& fingerprints) const {
  std::error_code wrong;
  std::vector<std::filesystem::path> gone;
  for (auto at = std::filesystem::directory_iterator(folder_, wrong); !wrong && at != std::filesystem::directory_iterator();
       at.increment(wrong)) {
    const std::filesystem::path& path = at->path();
    if (path.extension() != kEnding || !fingerprints.contains(path.stem().string())) gone.push_back(path);
  }
  for (const auto& path : gone) std::filesystem::remove(path, wrong);
}

}  // namespace sluice::mgmt::ocsp
