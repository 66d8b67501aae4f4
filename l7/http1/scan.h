// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <emmintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Character classes of RFC 9110 5.6 and the scanners over them, shared by the parsers, the body decoder and
/// the writer.
namespace sluice::l7::http1 {

namespace detail {
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> t{};
  for (int c = '0'; c <= '9'; ++c) t[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c)
    t[static_cast<std::size_t>(c)] = t[static_cast<std::size_t>(c | 0x20)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) t[static_cast<unsigned char>(c)] = true;
  return t;
}
inline constexpr std::array<bool, 256> kToken = make_token_table();
}  // namespace detail

/// tchar (RFC 9110, 5.6.2).
inline bool is_token_char(char c) { return detail::kToken[static_cast<unsigned char>(c)]; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_ows(char c) { return c == ' ' || c == '\t'; }

inline bool is_token(std::string_view s) {
  for (const char c : s) {
    if (!is_token_char(c)) return false;
  }
  return !s.empty();
}

/// field-vchar, SP and HTAB (RFC 9110, 5.5): everything but control characters; obs-text is passed on.
inline bool is_value_char(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (u >= 0x20 && u != 0x7f) || u == '\t';
}

/// Position of the first byte that may not be in a field value, or the end.
inline std::size_t find_not_value(std::string_view s) {
  std::size_t i = 0;
  const __m128i below = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f), tab = _mm_set1_epi8('\t');
  for (; i + 16 <= s.size(); i += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s.data() + i));
    const __m128i control =
        _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), _mm_cmpeq_epi8(_mm_min_epu8(v, below), v));
    const int bad = _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(v, del)));
    if (bad != 0) return i + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(bad)));
  }
  while (i < s.size() && is_value_char(s[i])) ++i;
  return i;
}

/// Position of the first byte that may not be in a request target, or the end: visible ASCII but '#' only.
/// What a URI may not hold but clients send ('|', '{', '"'...) passes: it has no meaning to framing.
inline std::size_t find_not_target(std::string_view s) {
  std::size_t i = 0;
  while (i < s.size() && s[i] > 0x20 && s[i] != 0x7f && s[i] != '#') ++i;
  return i;
}

}  // namespace sluice::l7::http1
