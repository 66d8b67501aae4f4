// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/target.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "l7/http1/scan.h"

namespace sluice::l7::http1 {
namespace {

using http::Method;

bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Empty is legal (RFC 3986, 3.2.3); 0 is nobody's port.
bool is_port(std::string_view text) {
  if (text.empty()) return true;
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 65535) return false;
  }
  return port > 0;
}

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::memcpy(terminated.data(), text.data(), text.size());
  in6_addr ignored;
  return inet_pton(AF_INET6, terminated.data(), &ignored) == 1;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;  // RFC 1035, 2.3.4
  char before = '.';
  for (const char c : text) {
    if (!is_name_char(c) || (c == '.' && before == '.')) return false;
    before = c;
  }
  return before != '.';
}

// "http://" or "https://" in any case; 0: neither.
std::size_t scheme_size(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (http::equals_ignore_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

void split_query(std::string_view text, http::RequestHead& head) {
  const std::size_t mark = text.find('?');
  head.path = text.substr(0, mark);
  if (mark != std::string_view::npos) head.query = text.substr(mark + 1);
}

// 3.2.2: the authority of the target counts, whatever Host says.
std::string_view parse_absolute(std::size_t scheme, http::RequestHead& head) {
  std::string_view rest = head.target.substr(scheme);
  const std::size_t end = rest.find_first_of("/?");
  head.authority = rest.substr(0, end);
  if (const auto wrong = parse_authority(head.authority, head.host); !wrong.empty()) return wrong;
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  if (rest.empty() && head.method == Method::kOptions) {
    head.path = "*";  // 3.2.4
    return {};
  }
  split_query(rest, head);
  if (head.path.empty()) head.path = "/";  // RFC 9110, 4.2.3
  return {};
}

}  // namespace

std::string_view parse_authority(std::string_view authority, std::string_view& host) {
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return "bad host";
    if (!is_ipv6(authority.substr(1, close - 1))) return "bad IPv6 address in the host";
    host = authority.substr(0, close + 1);
    port = authority.substr(close + 1);
    if (!port.empty() && port.front() != ':') return "bad host";
  } else {
    const std::size_t colon = authority.find(':');
    host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
    if (!host.empty() && host.back() == '.') host.remove_suffix(1);
    if (!is_name(host)) return host.empty() ? "empty host" : "bad host";
  }
  if (!port.empty() && !is_port(port.substr(1))) return "bad port in the host";
  return {};
}

std::string_view parse_target(http::RequestHead& head) {
  const std::string_view target = head.target;
  if (head.method == Method::kConnect) {  // 3.2.3: authority-form, with a port
    head.authority = target;
    if (const auto wrong = parse_authority(target, head.host); !wrong.empty()) return wrong;
    return is_digit(target.back()) && target.size() > head.host.size() ? "" : "CONNECT without a port";
  }
  if (target.front() == '/') {
    split_query(target, head);
    return {};
  }
  if (target == "*") {
    head.path = target;
    return head.method == Method::kOptions ? "" : "'*' is for OPTIONS only";
  }
  if (const std::size_t scheme = scheme_size(target); scheme > 0) return parse_absolute(scheme, head);
  return "bad request target";
}

}  // namespace sluice::l7::http1
