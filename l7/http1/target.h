// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "l7/http/message.h"

namespace sluice::l7::http1 {

/// Takes the request target apart (RFC 9112, 3.2): sets path and query, and authority and host where the
/// target has them. Returns what is wrong, a literal; empty: all is well.
std::string_view parse_target(http::RequestHead& head);

/// Checks `uri-host [":" port]` (RFC 3986, 3.2.2) and sets the host: without port and trailing dot, a literal
/// IPv6 address in its brackets. Stricter than the RFC where names have no use for it: no percent-encoding,
/// no sub-delims, no empty label.
std::string_view parse_authority(std::string_view authority, std::string_view& host);

}  // namespace sluice::l7::http1
