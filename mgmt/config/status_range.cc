// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/status_range.h"

namespace sluice::mgmt::config {
namespace {

std::optional<std::uint16_t> parse_status(std::string_view text) {
  if (text.size() != 3) return std::nullopt;
  std::uint16_t status = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    status = static_cast<std::uint16_t>(status * 10 + (c - '0'));
  }
  if (status < 100 || status > 599) return std::nullopt;
  return status;
}

}  // namespace

std::optional<std::pair<std::uint16_t, std::uint16_t>> parse_status_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto low = parse_status(text.substr(0, dash));
  const auto high = dash == text.npos ? low : parse_status(text.substr(dash + 1));
  if (!low || !high || *high < *low) return std::nullopt;
  return std::pair(*low, *high);
}

}  // namespace sluice::mgmt::config
