// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace sluice::mgmt::ingress {

/// The two parts of "HOST:PORT" (RFC 3986, section 3.2), neither of them checked. An IPv6 host keeps its brackets.
struct Authority {
  std::string_view host;
  std::optional<std::string_view> port;  ///< None: there is no colon.
};

constexpr Authority split_authority(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == text.npos ? 0 : bracket);
  if (colon == text.npos) return {text, std::nullopt};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace sluice::mgmt::ingress
