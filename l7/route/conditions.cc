// SPDX-License-Identifier: Apache-2.0
#include "l7/route/conditions.h"

#include <algorithm>

#include "l7/route/percent.h"

namespace sluice::l7::route {
namespace {

using Kind = ValueCondition::Kind;

/// Compares as application/x-www-form-urlencoded; a '%' that encodes nothing stands for itself.
bool equals_decoded(std::string_view encoded, std::string_view plain) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < encoded.size(); ++i, ++at) {
    char c = encoded[i];
    if (c == '+') c = ' ';
    if (c == '%') {
      if (const std::optional<char> decoded = percent_decode(encoded, i)) {
        c = *decoded;
        i += 2;
      }
    }
    if (at == plain.size() || plain[at] != c) return false;
  }
  return at == plain.size();
}

/// Calls f with each piece between separators until it says yes.
template <class F>
bool any_piece(std::string_view text, char separator, F f) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (f(text.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

struct Pair {
  std::string_view name, value;
};
Pair split_pair(std::string_view piece) {
  const std::size_t equals = piece.find('=');
  if (equals == std::string_view::npos) return {piece, {}};
  return {piece.substr(0, equals), piece.substr(equals + 1)};
}

bool one_of(const std::vector<std::string>& values, std::string_view value) {
  return values.empty() || std::find(values.begin(), values.end(), value) != values.end();
}

bool header_holds(const ValueCondition& c, const RequestView& request) {
  if (request.fields == nullptr) return false;
  return std::any_of(request.fields->begin(), request.fields->end(), [&](const http::Field& f) {
    return http::equals_ignore_case(f.name, c.name) && one_of(c.values, f.value);
  });
}

bool query_holds(const ValueCondition& c, const RequestView& request) {
  return any_piece(request.query, '&', [&](std::string_view piece) {
    const Pair pair = split_pair(piece);
    if (!equals_decoded(pair.name, c.name)) return false;
    return c.values.empty() || std::any_of(c.values.begin(), c.values.end(), [&](const std::string& v) {
             return equals_decoded(pair.value, v);
           });
  });
}

/// RFC 6265, 4.2.1: "name=value; name=value".
bool cookie_holds(const ValueCondition& c, const RequestView& request) {
  if (request.fields == nullptr) return false;
  return std::any_of(request.fields->begin(), request.fields->end(), [&](const http::Field& f) {
    if (f.id != http::FieldName::kCookie) return false;
    return any_piece(f.value, ';', [&](std::string_view piece) {
      while (!piece.empty() && (piece.front() == ' ' || piece.front() == '\t')) piece.remove_prefix(1);
      while (!piece.empty() && (piece.back() == ' ' || piece.back() == '\t')) piece.remove_suffix(1);
      const Pair pair = split_pair(piece);
      return pair.name == c.name && one_of(c.values, pair.value);
    });
  });
}

}  // namespace

bool holds(const ValueCondition& c, const RequestView& request) {
  switch (c.kind) {
    case Kind::kHeader:
      return header_holds(c, request);
    case Kind::kQuery:
      return query_holds(c, request);
    case Kind::kCookie:
      return cookie_holds(c, request);
    case Kind::kMethod:
      return one_of(c.values, request.method);  // RFC 9110, 9.1: case-sensitive.
    case Kind::kSource:
      return std::any_of(c.sources.begin(), c.sources.end(),
                         [&](const IpPrefix& p) { return p.contains(request.source); });
  }
  return false;
}

bool conditions_hold(const Rule& rule, const RequestView& request) {
  return std::all_of(rule.conditions.begin(), rule.conditions.end(),
                     [&](const ValueCondition& c) { return holds(c, request); });
}

}  // namespace sluice::l7::route
