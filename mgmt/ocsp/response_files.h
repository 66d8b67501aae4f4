// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>

#include "dataplane/base/result.h"

namespace sluice::mgmt::ocsp {

/// Responses on the disk, a file a certificate, so that a restart staples at once. What is read is no more to be believed than
/// what came over the network. One thread.
class ResponseFiles {
 public:
  /// `folder` is made when the first one is written.
  explicit ResponseFiles(std::string folder) : folder_(std::move(folder)) {}

  /// By the certificate's SHA-256, in hex. None: there is no file, or it cannot be read.
  std::optional<std::string> read(const std::string& fingerprint) const;
  Status write(const std::string& fingerprint, const std::string& der) const;
  /// Removes those of all other certificates.
  void keep_only(const std::set<std::string>& fingerprints) const;

 private:
  std::string path_of(const std::string& fingerprint) const;
  std::string folder_;
};

}  // namespace sluice::mgmt::ocsp
