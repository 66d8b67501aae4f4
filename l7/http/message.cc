// SPDX-License-Identifier: Apache-2.0
#include "l7/http/message.h"

#include <algorithm>

#include "dataplane/base/ascii.h"

namespace sluice::l7::http {
namespace {

bool is_ows(char c) { return c == ' ' || c == '\t'; }

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

// A comma inside a quoted string splits it here; no list that is asked about has quoted strings in its
// grammar.
bool list_has_token(std::string_view value, std::string_view token) {
  while (true) {
    const std::size_t comma = value.find(',');
    if (equals_ignore_case(trim(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

bool is_ssl_client_name(std::string_view name) {
  static constexpr std::string_view kPrefix = "ssl-client-";
  return name.size() > kPrefix.size() && ascii_lower(name.front()) == 's' &&
         std::equal(kPrefix.begin(), kPrefix.end(), name.begin(),
                    [](char ours, char c) { return ours == (c == '_' ? '-' : ascii_lower(c)); });
}

FieldName field_name(std::string_view name) {
  using enum FieldName;
  if (is_ssl_client_name(name)) return kSslClient;
  const auto is = [name](std::string_view known) {
    return ascii_lower(name.front()) == known.front() && equals_ignore_case(name, known);
  };
  switch (name.size()) {
    case 2:
      return is("te") ? kTe : kOther;
    case 4:
      return is("host") ? kHost : kOther;
    case 6:
      return is("cookie") ? kCookie : is("expect") ? kExpect : kOther;
    case 7:
      return is("upgrade") ? kUpgrade : kOther;
    case 9:
      return is("x-real-ip") ? kXRealIp : is("forwarded") ? kForwarded : kOther;
    case 10:
      return is("connection")   ? kConnection
             : is("keep-alive") ? kKeepAlive
             : is("early-data") ? kEarlyData
                                : kOther;
    case 12:
      return is("x-request-id") ? kXRequestId : kOther;
    case 14:
      return is("content-length") ? kContentLength : is("http2-settings") ? kHttp2Settings : kOther;
    case 15:
      return is("x-forwarded-for") ? kXForwardedFor : kOther;
    case 16:
      return is("x-forwarded-host")   ? kXForwardedHost
             : is("x-forwarded-port") ? kXForwardedPort
             : is("proxy-connection") ? kProxyConnection
                                      : kOther;
    case 17:
      return is("transfer-encoding")   ? kTransferEncoding
             : is("x-forwarded-proto") ? kXForwardedProto
                                       : kOther;
    case 25:
      return is("strict-transport-security") ? kStrictTransportSecurity : kOther;
    default:
      return kOther;
  }
}

std::optional<std::string_view> FieldList::find(std::string_view name) const {
  for (const Field& f : *this) {
    if (equals_ignore_case(f.name, name)) return f.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> FieldList::find(FieldName id) const {
  if (!has(id)) return std::nullopt;
  return std::find_if(begin(), end(), [id](const Field& f) { return f.id == id; })->value;
}

bool is_hop_by_hop(const Field& field, std::span<const std::string_view> connection_values) {
  switch (field.id) {
    case FieldName::kConnection:
    case FieldName::kHttp2Settings:
    case FieldName::kKeepAlive:
    case FieldName::kProxyConnection:
    case FieldName::kTe:
    case FieldName::kTransferEncoding:
    case FieldName::kUpgrade:
      return true;
    default:
      return std::any_of(connection_values.begin(), connection_values.end(),
                         [&](std::string_view list) { return list_has_token(list, field.name); });
  }
}

}  // namespace sluice::l7::http
