// SPDX-License-Identifier: Apache-2.0
#include "l7/http/message.h"

#include <algorithm>

namespace sluice::l7::http {
namespace {

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool is_ows(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_ows(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_ows(s.back())) s.remove_suffix(1);
  return s;
}

}  // namespace

bool equals_ignore_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

// A comma inside a quoted string splits it here; no list that is asked about has quoted strings in its
// grammar.
bool list_has_token(std::string_view value, std::string_view token) {
  while (true) {
    const std::size_t comma = value.find(',');
    if (equals_ignore_case(trim(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

std::optional<std::string_view> FieldList::find(std::string_view name) const {
  for (const Field& f : *this) {
    if (equals_ignore_case(f.name, name)) return f.value;
  }
  return std::nullopt;
}

bool is_hop_by_hop(std::string_view name, std::span<const std::string_view> connection_values) {
  static constexpr std::array<std::string_view, 7> kAlways = {
      "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "http2-settings"};
  const auto same = [name](std::string_view other) { return equals_ignore_case(name, other); };
  if (std::any_of(kAlways.begin(), kAlways.end(), same)) return true;
  return std::any_of(connection_values.begin(), connection_values.end(),
                     [name](std::string_view list) { return list_has_token(list, name); });
}

}  // namespace sluice::l7::http
