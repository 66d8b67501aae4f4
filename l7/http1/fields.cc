// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/fields.h"

#include "l7/http1/scan.h"

namespace sluice::l7::http1 {

// Every index is safe because the text ends with CRLF: neither is a token character or a value character.
std::string_view parse_field_line(std::string_view& text, http::Field& out) {
  const std::size_t i = find_not_token(text);
  if (text[i] != ':') {
    // A line that starts with white space folds into the one before (5.2: obs-fold, gone since RFC 7230).
    if (is_ows(text[i])) return i == 0 ? "folded field line" : "white space before the colon";
    return text[i] == '\r' ? "field line without a colon" : "bad character in a field name";
  }
  if (i == 0) return "empty field name";
  out.name = text.substr(0, i);
  text.remove_prefix(i + 1);
  while (is_ows(text.front())) text.remove_prefix(1);
  const std::size_t end = find_not_value(text);
  if (text[end] != '\r') return "control character in a field value";
  if (text[end + 1] != '\n') return "bare CR";
  std::size_t length = end;
  while (length > 0 && is_ows(text[length - 1])) --length;
  out.value = text.substr(0, length);
  text.remove_prefix(end + 2);
  return {};
}

std::string_view parse_fields(std::string_view text, http::FieldList& out) {
  while (text.size() > 2) {
    http::Field f;
    if (const std::string_view wrong = parse_field_line(text, f); !wrong.empty()) return wrong;
    if (!out.add(f)) return "too many fields";
  }
  return {};
}

}  // namespace sluice::l7::http1
