// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"
#include "l7/route/rule.h"

namespace sluice::l7::proxy {

/// A response of our own.
struct LocalReply {
  std::uint16_t status = 500;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view body;
  std::string_view location;  ///< Redirects.
  std::string_view allow;     ///< 405 (RFC 9110, 15.5.6).
  std::uint32_t retry_after_s = 0;  ///< 503 (RFC 9110, 10.2.3); 0: nothing is said.
};

/// How the connection goes on and what the request allows.
struct ReplyContext {
  bool head_request = false;  ///< No body, but its length (RFC 9110, 9.3.2).
  bool close = false;
  std::string_view date;  ///< Now, as in a Date field.
  std::string_view strict_transport_security;  ///< Empty: none.
  http::Version version = http::Version::kHttp11;
};

/// False: no memory, nothing may be sent.
bool write_local_reply(const LocalReply& reply, const ReplyContext& context, BufChain& out, BufPool& pool);

/// "404 Not Found\n", with the reason behind it when there is one, into `text`.
void error_body(std::uint16_t status, std::string_view reason, std::string& text);

/// Where a redirect leads, into `text`. Parts that the action leaves empty are the request's own; ${host},
/// ${path} and
/// ${query} in path and query are replaced.
struct RedirectSource {
  std::string_view scheme;
  std::string_view authority;  ///< With port.
  std::string_view host;
  std::string_view path, query;
};
void redirect_location(const RedirectAction& action, const RedirectSource& request, std::string& text);

}  // namespace sluice::l7::proxy
