// SPDX-License-Identifier: Apache-2.0
#include "l7/route/path.h"

#include <cstring>

#include "l7/route/percent.h"

namespace sluice::l7::route {
namespace {

char hex_upper(char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; }

/// RFC 3986, 2.3.
bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/// Whether the path is in normal form as it stands; most are, and need no copy.
bool is_plain(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' || path[i] == '\0') return false;
    if (path[i] == '/' && i + 1 < path.size() && path[i + 1] == '.') return false;
  }
  return true;
}

/// RFC 3986, 5.2.4, in place over an absolute path.
std::size_t remove_dot_segments(std::span<char> path) {
  std::size_t in = 0, out = 0;
  while (in < path.size()) {
    // At a '/': the segment behind it reaches to the next one.
    const char* begin = path.data() + in + 1;
    const std::size_t rest = path.size() - in - 1;
    const void* slash = std::memchr(begin, '/', rest);
    const std::size_t length =
        slash == nullptr ? rest : static_cast<std::size_t>(static_cast<const char*>(slash) - begin);
    const std::string_view segment(begin, length);
    const bool is_last = slash == nullptr;
    const std::size_t next = in + 1 + length;
    if (segment == "." || segment == "..") {
      if (segment == "..") {
        while (out > 0 && path[--out] != '/') {
        }
      }
      if (is_last) path[out++] = '/';
    } else {
      std::memmove(path.data() + out, path.data() + in, 1 + length);
      out += 1 + length;
    }
    in = next;
  }
  return out;
}

}  // namespace

NormalPath normalise_encoding(std::string_view path, std::span<char> buffer) {
  if (path.size() > kMaxPath || path.size() > buffer.size()) return {PathError::kTooLong, {}};
  std::size_t out = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '\0') return {PathError::kNul, {}};
    if (c != '%') {
      buffer[out++] = c;
      continue;
    }
    const std::optional<char> decoded = percent_decode(path, i);
    if (!decoded) return {PathError::kBadEncoding, {}};
    if (*decoded == '\0') return {PathError::kNul, {}};
    if (is_unreserved(*decoded)) {
      buffer[out++] = *decoded;
    } else {
      buffer[out++] = '%';
      buffer[out++] = hex_upper(path[i + 1]);
      buffer[out++] = hex_upper(path[i + 2]);
    }
    i += 2;
  }
  return {PathError::kNone, {buffer.data(), out}};
}

NormalPath normalise_path(std::string_view path, std::span<char> buffer) {
  if (path.empty()) return {PathError::kNone, "/"};
  if (path == "*") return {PathError::kNone, path};
  if (path.size() > kMaxPath) return {PathError::kTooLong, {}};
  if (path.front() != '/') return {PathError::kNotAbsolute, {}};
  if (is_plain(path)) return {PathError::kNone, path};
  NormalPath normal = normalise_encoding(path, buffer);
  if (normal.error != PathError::kNone) return normal;
  normal.path = normal.path.substr(0, remove_dot_segments(buffer.first(normal.path.size())));
  return normal;
}

}  // namespace sluice::l7::route
