// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/cores.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace sluice::pktgen {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

std::string status_of(const fs::path& task, const std::string& name) {
  std::ifstream in(task / "status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name + ":")) continue;
    line.erase(0, name.size() + 1);
    return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
  }
  return "";
}

/// Entries that are numbers. Processes and threads come and go while we look.
std::vector<fs::path> numbered(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code gone;
  for (fs::directory_iterator it(folder, gone), end; !gone && it != end; it.increment(gone)) {
    if (it->path().filename().string().find_first_not_of("0123456789") == std::string::npos)
      out.push_back(it->path());
  }
  return out;
}

}  // namespace

Status core_is_free(unsigned core) {
  const std::string self = std::to_string(getpid());
  for (const fs::path& process : numbered("/proc")) {
    if (process.filename() == self) continue;
    for (const fs::path& task : numbered(process / "task")) {
      // Named by Worker::run.
      if (!first_line(task / "comm").starts_with("sluice-worker")) continue;
      if (status_of(task, "Cpus_allowed_list") != std::to_string(core)) continue;
      return Error{"core " + std::to_string(core) + ": a worker of process " + process.filename().string() +
                   " (" + first_line(process / "comm") + ") runs there; each needs a core of its own"};
    }
  }
  return Ok{};
}

}  // namespace sluice::pktgen
