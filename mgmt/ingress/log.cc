// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/log.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "mgmt/ingress/wall_clock.h"

namespace sluice::mgmt::ingress {

void log_line(std::string_view level, std::string_view event,
              std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  nlohmann::ordered_json line = {{"time", rfc3339_now(true)}, {"level", level}, {"event", event}};
  for (const auto& [name, value] : fields) line[std::string(name)] = value;
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace sluice::mgmt::ingress
