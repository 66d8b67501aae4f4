// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::mgmt::cli {

/// How to reach an appliance.
struct Target {
  std::string server = "https://127.0.0.1:8443";
  std::string token;
  std::string ca_file;  ///< PEM; empty: the system's.
  bool insecure = false;
  bool override_manager = false;  ///< Changes also what carries another's ownership mark.
  long timeout_s = 60;
};

struct Answer {
  long status = 0;
  std::string body;
  std::map<std::string, std::string> headers;  ///< Names in lower case.
};

/// One request over libcurl. An error means that no answer came; any status is an answer.
Result<Answer> request(const Target& target, const std::string& method, const std::string& path,
                       const std::string& body = {}, const std::vector<std::string>& headers = {});

/// For query parameters and path segments (RFC 3986).
std::string percent_encode(const std::string& text);

}  // namespace sluice::mgmt::cli
