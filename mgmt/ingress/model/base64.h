// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::mgmt::ingress {

/// RFC 4648, section 4; none: no base64. Line breaks may stand anywhere, as kubeconfig files have them.
std::optional<std::string> base64_decode(std::string_view text);

std::string base64_encode(std::string_view bytes);

}  // namespace sluice::mgmt::ingress
