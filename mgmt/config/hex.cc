// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/hex.h"

#include <charconv>

namespace sluice::mgmt::config {

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned char value = 0;
    const char* end = text.data() + i + 2;
    if (const auto [at, ec] = std::from_chars(text.data() + i, end, value, 16); ec != std::errc{} || at != end) return std::nullopt;
    out += static_cast<char>(value);
  }
  return out;
}

}  // namespace sluice::mgmt::config
