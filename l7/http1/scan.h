// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tmmintrin.h>

#include <algorithm>
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
constexpr bool is_token_char(char c) { return detail::kToken[static_cast<unsigned char>(c)]; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_ows(char c) { return c == ' ' || c == '\t'; }

namespace detail {
/// kToken for pshufb: bit h of kTokenRows[l] says whether the character with the nibbles h and l is one.
constexpr std::array<std::uint8_t, 16> make_token_rows() {
  std::array<std::uint8_t, 16> rows{};
  for (std::size_t c = 0; c < 128; ++c) {
    if (kToken[c]) rows[c & 15] = static_cast<std::uint8_t>(rows[c & 15] | 1u << (c >> 4));
  }
  return rows;
}
alignas(16) inline constexpr std::array<std::uint8_t, 16> kTokenRows = make_token_rows();
alignas(16) inline constexpr std::array<std::uint8_t, 16> kTokenBits = {1, 2, 4, 8, 16, 32, 64, 128};

/// A bit for each of 16 bytes that is no token character.
inline unsigned not_token(const char* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), low = _mm_set1_epi8(0x0f);
  const __m128i rows = _mm_load_si128(reinterpret_cast<const __m128i*>(kTokenRows.data()));
  const __m128i bits = _mm_load_si128(reinterpret_cast<const __m128i*>(kTokenBits.data()));
  const __m128i row = _mm_shuffle_epi8(rows, _mm_and_si128(v, low));
  const __m128i bit = _mm_shuffle_epi8(bits, _mm_and_si128(_mm_srli_epi16(v, 4), low));
  const __m128i outside = _mm_cmpeq_epi8(_mm_and_si128(row, bit), _mm_setzero_si128());
  return static_cast<unsigned>(_mm_movemask_epi8(outside));
}
}  // namespace detail

/// field-vchar, SP and HTAB (RFC 9110, 5.5): everything but control characters; obs-text is passed on.
inline bool is_value_char(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (u >= 0x20 && u != 0x7f) || u == '\t';
}

namespace detail {
/// A bit for each of 16 bytes that may not be in a field value: a control character other than HTAB.
inline unsigned not_value(const char* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i below = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
  const __m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), below);
  return static_cast<unsigned>(
      _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)))));
}
/// A bit for each of 16 bytes that may not be in a request target.
inline unsigned not_target(const char* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i visible = _mm_cmpgt_epi8(v, _mm_set1_epi8(0x20));  // signed: what is not ASCII is below
  const __m128i other =
      _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)), _mm_cmpeq_epi8(v, _mm_set1_epi8('#')));
  return ~static_cast<unsigned>(_mm_movemask_epi8(_mm_andnot_si128(other, visible))) & 0xffffu;
}
inline bool is_target_char(char c) { return c > 0x20 && c != 0x7f && c != '#'; }

/// Position of the first byte of a class, or the end: 16 at a time, the last 16 overlapping.
template <unsigned (*kOutside)(const char*), bool (*kInside)(char)>
std::size_t find_outside(std::string_view s) {
  if (s.size() < 16) {
    std::size_t i = 0;
    while (i < s.size() && kInside(s[i])) ++i;
    return i;
  }
  for (std::size_t i = 0;;) {
    if (const unsigned bad = kOutside(s.data() + i); bad != 0)
      return i + static_cast<std::size_t>(std::countr_zero(bad));
    if (i + 16 == s.size()) return s.size();
    i = std::min(i + 16, s.size() - 16);
  }
}
}  // namespace detail

/// Position of the first byte that is no token character, or the end.
inline std::size_t find_not_token(std::string_view s) {
  return detail::find_outside<detail::not_token, is_token_char>(s);
}
inline bool is_token(std::string_view s) { return !s.empty() && find_not_token(s) == s.size(); }

/// Position of the first byte that may not be in a field value, or the end.
inline std::size_t find_not_value(std::string_view s) {
  return detail::find_outside<detail::not_value, is_value_char>(s);
}

/// Position of the first byte that may not be in a request target, or the end: visible ASCII but '#' only.
/// What a URI may not hold but clients send ('|', '{', '"'...) passes: it has no meaning to framing.
inline std::size_t find_not_target(std::string_view s) {
  return detail::find_outside<detail::not_target, detail::is_target_char>(s);
}

}  // namespace sluice::l7::http1
