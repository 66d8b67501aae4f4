// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/checks.h"

#include <algorithm>

#include "mgmt/config/names.h"

namespace sluice::mgmt::config::detail {

void check_range(ErrorList& errors, const Pointer& at, std::uint64_t value, std::uint64_t low,
                 std::uint64_t high) {
  if (value >= low && value <= high) return;
  errors.add(at, "must be between " + std::to_string(low) + " and " + std::to_string(high));
}

std::string alternatives(std::span<const std::string_view> names) {
  std::string out;
  std::size_t left = names.size();
  for (const std::string_view one : names) {
    out += "\"" + std::string(one) + "\"";
    --left;
    if (left > 0) out += left > 1 ? ", " : " or ";
  }
  return out;
}

void check_one_of(ErrorList& errors, const Pointer& at, std::string_view value,
                  std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  errors.add(at, "must be " + alternatives(allowed));
}

void check_text(ErrorList& errors, const Pointer& at, std::string_view value, std::size_t max) {
  if (value.size() > max) {
    errors.add(at, "must be at most " + std::to_string(max) + " bytes long");
  } else if (has_control_characters(value)) {
    errors.add(at, "must not hold control characters");
  }
}

void check_count(ErrorList& errors, const Pointer& at, std::size_t count, std::size_t low, std::size_t high) {
  if (count >= low && count <= high) return;
  errors.add(at, "must hold " + std::to_string(low) + " to " + std::to_string(high) + " elements");
}

void check_path(ErrorList& errors, const Pointer& at, std::string_view value) {
  if (!value.starts_with('/')) {
    errors.add(at, "must start with \"/\"");
  } else if (value.size() > kMaxPath) {
    errors.add(at, "must be at most " + std::to_string(kMaxPath) + " bytes long");
  } else if (!is_visible_ascii(value)) {
    errors.add(at, "must be visible ASCII; write other characters percent-encoded");
  } else if (value.find_first_of("?#") != value.npos) {
    errors.add(at, "must not hold \"?\" or \"#\": a path ends before its query");
  }
}

}  // namespace sluice::mgmt::config::detail
