// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::l7::route {

/// Longest path that is matched. A longer one is refused here and by Router::match(), never cut: a rule that
/// guards a path must not be passed by making the path longer.
inline constexpr std::size_t kMaxPath = 8192;

enum class PathError : std::uint8_t {
  kNone,
  kBadEncoding,  ///< '%' without two hex digits.
  kNul,          ///< A NUL, plain or as %00: string ends there for some backends, not for us.
  kTooLong,      ///< Longer than kMaxPath, or than the buffer.
  kNotAbsolute,  ///< Neither begins with '/', nor is "*" (OPTIONS), nor empty.
};

struct NormalPath {
  PathError error = PathError::kNone;
  std::string_view path;  ///< Into the buffer, or the input itself when that was normal already.
};

/// The path by which rules are matched, so that one resource has one spelling (RFC 3986, 6.2.2):
/// percent-encoded unreserved characters decoded, the hex digits of other encodings in upper case, dot
/// segments resolved (5.2.4; ".." above the root stays at the root). Encoded slashes stay encoded and
/// duplicate slashes stay: both are other resources for Kubernetes and for RFC 3986. Empty becomes "/"
/// (6.2.3). See README.md for why. No allocation; `buffer` needs path.size() bytes. Every error is a 400
/// (kTooLong: 414).
NormalPath normalise_path(std::string_view path, std::span<char> buffer);

/// The same without resolving dot segments: for texts that are the beginning of a path, such as "/files/.".
NormalPath normalise_encoding(std::string_view path, std::span<char> buffer);

}  // namespace sluice::l7::route
