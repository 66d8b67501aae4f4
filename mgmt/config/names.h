// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

/// Texts of a fixed form: what they may look like.
namespace sluice::mgmt::config {

inline constexpr const char* kIdRule =
    "must be 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-', and not \".\" or \"..\"";
bool is_id(std::string_view text);

/// RFC 1123, 2.1: labels of letters, digits and inner hyphens, 63 characters each, 253 in all.
bool is_host_name(std::string_view text);
/// The same with at most one leading "*.".
bool is_host_pattern(std::string_view text);

/// RFC 9110, 5.6.2: a method or field name.
bool is_token(std::string_view text);
/// Visible ASCII without white space: what may stand in a request line.
bool is_visible_ascii(std::string_view text);
/// No control characters (a tab is one): what may stand in a field value.
bool has_control_characters(std::string_view text);

}  // namespace sluice::mgmt::config
