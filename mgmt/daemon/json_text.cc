// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/json_text.h"

#include <cstdint>

namespace sluice::mgmt::daemon {
namespace {

std::uint8_t at(std::string_view s, std::size_t i) {
  return i < s.size() ? static_cast<std::uint8_t>(s[i]) : 0;
}

bool continuation(std::uint8_t b) { return (b & 0xc0) == 0x80; }

/// Length of the well-formed sequence that starts at `i` (Unicode, table 3-7), 0 when there is none.
std::size_t utf8_length(std::string_view s, std::size_t i) {
  const std::uint8_t a = at(s, i), b = at(s, i + 1), c = at(s, i + 2), d = at(s, i + 3);
  if (a >= 0xc2 && a <= 0xdf) return continuation(b) ? 2 : 0;
  if ((a & 0xf0) == 0xe0) {
    const bool overlong = a == 0xe0 && b < 0xa0;
    const bool surrogate = a == 0xed && b > 0x9f;
    return continuation(b) && continuation(c) && !overlong && !surrogate ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    const bool overlong = a == 0xf0 && b < 0x90;
    const bool beyond = a == 0xf4 && b > 0x8f;
    return continuation(b) && continuation(c) && continuation(d) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, std::uint8_t b) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (b) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out += kHex[b >> 4];
  out += kHex[b & 15];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::uint8_t b = at(text, i);
    if (b >= 0x80) {
      const std::size_t n = utf8_length(text, i);
      if (n == 0) {
        append_escaped(out, b);
        ++i;
        continue;
      }
      out.append(text.substr(i, n));
      i += n;
      continue;
    }
    if (b < 0x20 || b == '"' || b == '\\' || b == 0x7f) {
      append_escaped(out, b);
    } else {
      out += static_cast<char>(b);
    }
    ++i;
  }
  out += '"';
}

}  // namespace sluice::mgmt::daemon
