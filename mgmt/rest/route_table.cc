// SPDX-License-Identifier: Apache-2.0
#include "mgmt/rest/route_table.h"

#include <optional>

namespace sluice::mgmt::rest {
namespace {

std::string_view next_segment(std::string_view& rest) {
  const auto slash = rest.find('/');
  const std::string_view out = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  return out;
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> captured;
  if (pattern.empty() || path.empty()) return std::nullopt;
  while (!pattern.empty() && !path.empty()) {
    const std::string_view want = next_segment(pattern), have = next_segment(path);
    if (want.starts_with('{')) {
      if (have.empty()) return std::nullopt;
      captured.emplace_back(have);
    } else if (want != have) {
      return std::nullopt;
    }
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return captured;
}

}  // namespace

const Route* RouteTable::find(Call& call, std::string& allowed) const {
  const std::string_view method = call.method == "HEAD" ? "GET" : std::string_view(call.method);
  for (const Route& r : routes_) {
    auto captured = match(r.pattern, call.path);
    if (!captured) continue;
    if (r.method == method) {
      call.captured = std::move(*captured);
      return &r;
    }
    allowed += (allowed.empty() ? "" : ", ") + r.method + (r.method == "GET" ? ", HEAD" : "");
  }
  return nullptr;
}

}  // namespace sluice::mgmt::rest
