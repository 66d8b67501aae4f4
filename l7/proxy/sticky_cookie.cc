// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/sticky_cookie.h"

#include <charconv>

namespace sluice::l7::proxy {
namespace {

constexpr std::size_t kDigits = 16;
constexpr char kSeparator = '~';  // Of a mark and a backend's own value.

std::optional<std::uint64_t> parse_mark(std::string_view digits) {
  std::uint64_t mark = 0;
  if (digits.size() != kDigits) return std::nullopt;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + kDigits, mark, 16);
  if (ec != std::errc{} || end != digits.data() + kDigits) return std::nullopt;
  return mark;
}

/// The mark that stands before a backend's value.
std::optional<std::uint64_t> leading_mark(std::string_view value) {
  if (value.size() <= kDigits || value[kDigits] != kSeparator) return std::nullopt;
  return parse_mark(value.substr(0, kDigits));
}

void append_mark(std::uint64_t mark, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[mark >> shift & 15];
}

/// The value when `pair` is "name=value"; names of cookies are case-sensitive.
std::optional<std::string_view> value_of(std::string_view pair, std::string_view name) {
  pair = http::trim(pair);
  if (pair.size() <= name.size() || pair[name.size()] != '=' || !pair.starts_with(name)) return std::nullopt;
  return pair.substr(name.size() + 1);
}

/// Calls `f` with each "name=value" until it says that it is done.
template <class F>
void each_pair(std::string_view cookies, F f) {
  for (;;) {
    const std::size_t end = cookies.find(';');
    if (f(cookies.substr(0, end)) || end == std::string_view::npos) return;
    cookies.remove_prefix(end + 1);
  }
}

}  // namespace

std::optional<std::uint64_t> mark_in_request(const http::FieldList& fields, std::string_view name, bool rewritten) {
  std::optional<std::uint64_t> mark;
  if (!fields.has(http::FieldName::kCookie)) return mark;
  for (const http::Field& f : fields) {
    if (f.id != http::FieldName::kCookie) continue;
    each_pair(f.value, [&](std::string_view pair) {
      const auto value = value_of(pair, name);
      if (value) mark = rewritten ? leading_mark(*value) : parse_mark(*value);
      return mark.has_value();
    });
    if (mark) break;
  }
  return mark;
}

void make_cookie(std::string_view name, std::uint64_t mark, std::uint32_t max_age_s, bool secure, std::string& out) {
  out.assign(name).append("=");
  append_mark(mark, out);
  out.append("; Path=/");
  if (max_age_s != 0) {
    char digits[10];
    out.append("; Max-Age=").append(digits, std::to_chars(digits, digits + sizeof digits, max_age_s).ptr);
  }
  out.append("; HttpOnly");
  if (secure) out.append("; Secure");
}

std::string_view with_mark(std::string_view set_cookie, std::string_view name, std::uint64_t mark, std::string& out) {
  const auto value = value_of(set_cookie, name);
  if (!value) return set_cookie;
  out.assign(name).append("=");
  append_mark(mark, out);
  out += kSeparator;
  out.append(*value);
  return out;
}

std::string_view without_marks(std::string_view cookies, std::string_view name, std::string& out) {
  bool any = false;
  each_pair(cookies, [&](std::string_view pair) {
    const auto value = value_of(pair, name);
    any = value && leading_mark(*value);
    return any;
  });
  if (!any) return cookies;
  out.clear();
  each_pair(cookies, [&](std::string_view pair) {
    if (!out.empty()) out += "; ";
    const auto value = value_of(pair, name);
    if (value && leading_mark(*value))
      out.append(name).append("=").append(value->substr(kDigits + 1));
    else
      out.append(http::trim(pair));
    return false;
  });
  return out;
}

}  // namespace sluice::l7::proxy
