// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/local_reply.h"

#include "l7/http1/writer.h"

namespace sluice::l7::proxy {
namespace {

void replace_variables(std::string_view pattern, const RedirectSource& request, std::string& text) {
  while (!pattern.empty()) {
    const std::size_t at = pattern.find("${");
    text += pattern.substr(0, at);
    if (at == std::string_view::npos) return;
    pattern.remove_prefix(at);
    const auto variable = [&](std::string_view name, std::string_view value) {
      if (!pattern.starts_with(name)) return false;
      text += value;
      pattern.remove_prefix(name.size());
      return true;
    };
    if (variable("${path}", request.path) || variable("${query}", request.query) ||
        variable("${host}", request.host)) {
      continue;
    }
    text += pattern.substr(0, 2);
    pattern.remove_prefix(2);
  }
}

/// Port of an authority, with its colon; empty: none. IPv6 literals hold colons inside brackets.
std::string_view port_suffix(std::string_view authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return {};
  return authority.substr(colon);
}

}  // namespace

bool write_local_reply(const LocalReply& reply, const ReplyContext& context, BufChain& out, BufPool& pool) {
  http1::HeadWriter w(out, pool);
  w.status_line(reply.status, {});
  w.field("Server", "sluice");
  w.field("Date", context.date);  // RFC 9110, 6.6.1
  // RFC 9110, 15.3.5 and 15.4.5: no content, whatever the configuration says.
  const bool bodiless = reply.status == 204 || reply.status == 304;
  if (!bodiless) {
    if (!reply.body.empty()) w.field("Content-Type", reply.content_type);
    w.field("Content-Length", std::uint64_t{reply.body.size()});
  }
  if (!reply.location.empty()) w.field("Location", reply.location);
  if (!reply.allow.empty()) w.field("Allow", reply.allow);
  if (!context.strict_transport_security.empty())
    w.field("Strict-Transport-Security", context.strict_transport_security);
  if (reply.retry_after_s != 0) w.field("Retry-After", std::uint64_t{reply.retry_after_s});
  if (context.close)
    w.field("Connection", "close");
  else if (context.version == http::Version::kHttp10)
    w.field("Connection", "keep-alive");
  if (!w.finish()) return false;
  if (bodiless || context.head_request) return true;
  return out.append_copy(reply.body, pool);
}

void error_body(std::uint16_t status, std::string_view reason, std::string& text) {
  char digits[3] = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
                    static_cast<char>('0' + status % 10)};
  text.assign(digits, sizeof digits);
  text += ' ';
  text += http1::standard_reason(status);
  text += '\n';
  if (!reason.empty()) {
    text += reason;
    text += '\n';
  }
}

void redirect_location(const RedirectAction& action, const RedirectSource& request, std::string& text) {
  const std::string_view scheme = action.scheme.empty() ? request.scheme : std::string_view(action.scheme);
  text.assign(scheme);
  text += "://";
  text += action.host.empty() ? request.host : std::string_view(action.host);
  if (action.port != 0) {
    const bool implied = (scheme == "http" && action.port == 80) || (scheme == "https" && action.port == 443);
    if (!implied) {
      text += ':';
      text += std::to_string(action.port);  // Five digits at most: no allocation.
    }
  } else if (action.scheme.empty() && action.host.empty()) {
    // Same scheme, same host: the port, too, is the request's own.
    text += port_suffix(request.authority);
  }
  if (action.path.empty())
    text += request.path.empty() ? std::string_view("/") : request.path;
  else
    replace_variables(action.path, request, text);
  const std::size_t before = text.size();
  text += '?';
  if (action.query.empty())
    text += request.query;
  else
    replace_variables(action.query, request, text);
  if (text.size() == before + 1) text.pop_back();
}

}  // namespace sluice::l7::proxy
