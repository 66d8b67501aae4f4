// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/ids.h"

#include <cctype>
#include <cstdio>

#include "mgmt/config/fnv1a.h"

namespace sluice::mgmt::ingress {

std::string short_hash(std::string_view text) {
  char digits[11];
  const unsigned long long hash = config::fnv1a(text) & 0xff'ffff'ffffull;
  std::snprintf(digits, sizeof digits, "%010llx", hash);
  return digits;
}

std::string make_id(std::initializer_list<std::string_view> parts) {
  constexpr std::size_t kMax = 112;  // Leaves room for a suffix such as "_443" below 128.
  std::string whole, id;
  bool changed = false;
  for (const std::string_view part : parts) {
    if (!whole.empty()) whole += '\n', id += '_';
    whole += part;
    for (const char c : part) {
      const bool good = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
      changed |= !good;
      id += good ? c : '-';
    }
  }
  if (!changed && id.size() <= kMax) return id;
  return id.substr(0, kMax - 11) + "-" + short_hash(whole);
}

}  // namespace sluice::mgmt::ingress
