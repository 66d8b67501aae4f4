// SPDX-License-Identifier: Apache-2.0
// sluice-primitives: what TLS costs in memory, l7/tls beside the libraries that it stands on. One JSON object
// on standard output.
#include <cstdio>
#include <cstdlib>

#include "pktgen-scripts/primitives/memory_tls.h"

namespace {

constexpr const char* kUsage =
    "usage: sluice-primitives handshakes full|resumed CERTIFICATE KEY SECONDS\n"
    "       sluice-primitives records SECONDS\n";

std::string measure(const std::vector<std::string>& words) {
  using namespace sluice::primitives;
  const double seconds = words.empty() ? 0 : std::atof(words.back().c_str());
  if (seconds > 0 && words.size() == 2 && words[0] == "records") return measure_records(seconds);
  if (seconds > 0 && words.size() == 5 && words[0] == "handshakes" &&
      (words[1] == "full" || words[1] == "resumed")) {
    return measure_handshakes(words[2], words[3], words[1] == "resumed", seconds);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string json = measure({argv + 1, argv + argc});
    if (json.empty()) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    std::puts(json.c_str());
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "sluice-primitives: %s\n", e.what());
    return 1;
  }
}
