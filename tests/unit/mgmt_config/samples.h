// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mgmt/config/model.h"

namespace sluice::mgmt::test {

/// A certificate with its key, made on the spot (ECDSA P-256).
struct Pem {
  std::string certificate, private_key;
};
Pem make_pem(const std::string& host);
/// A new certificate for the key of `old`.
Pem renew(const Pem& old, const std::string& host);

/// One load balancer 192.0.2.1 with http on 80 and https on 443, two groups, two rules: everything filled in.
config::Config sample();

/// A folder of one test, gone with it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sluice::mgmt::test
