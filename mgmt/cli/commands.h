// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/cli/client.h"

namespace sluice::mgmt::cli {

enum ExitStatus : int { kOk = 0, kRefused = 1, kUsage = 2, kUnreachable = 3 };

enum class Output : std::uint8_t { kTable, kJson };

struct Explain {
  std::string url, vip, method, host, source;
  std::vector<std::string> headers;  ///< "Name: value"
};

// One function a subcommand; each prints and returns the exit status.
int get(const Target& target, const std::string& kind, const std::string& id,
        const std::vector<std::string>& filters, Output output);
/// `replace`: the document is the whole desired state, else its objects are added to what is there, or
/// replace those of their id. Either way one transaction.
int apply(const Target& target, const std::string& file, bool dry_run, bool replace);
int remove(const Target& target, const std::string& kind, const std::string& id);
int explain(const Target& target, const Explain& what, Output output);
int status(const Target& target, Output output);
int revisions(const Target& target, Output output);
int rollback(const Target& target, std::uint64_t revision, bool dry_run);
int events(const Target& target, Output output);

/// "rule", "rules", "lb", "server_groups"... to the name in paths. Empty: no such kind.
std::string kind_path(const std::string& word);
const std::vector<std::string>& kind_paths();

}  // namespace sluice::mgmt::cli
