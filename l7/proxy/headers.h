// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"
#include "l7/snapshot.h"
#include "l7/tls/trust_store.h"

namespace sluice::l7::proxy {

/// What TLS says of the client, for backends.
struct ClientVerdict {
  bool asked = false;                                 ///< Clients of this connection's listener show certificates.
  const tls::ClientCertificate* certificate = nullptr;  ///< Verified. Null: it showed none.
};

/// What the request's head does not say itself.
struct ForwardContext {
  std::string_view client_address;  ///< Without port.
  std::string_view scheme;          ///< "http", "https": as the client spoke to us.
  std::string_view default_host;    ///< For an HTTP/1.0 request without Host.
  std::string_view request_id;
  std::uint16_t port = 0;        ///< The listener's.
  std::uint16_t client_port = 0;
  std::uint8_t fields = kForwardDefault;  ///< Of ForwardedField.
  bool trust_forwarded = false;  ///< X-Forwarded-* of the client are kept (and For is appended to).
  bool upgrade = false;
  bool early = false;            ///< It came as early data, and may have been sent again by somebody else (RFC 8470, 5.1).
  ClientVerdict client;
  std::string_view marked_cookie;  ///< Its marks are taken away, with the help of `scratch`.
  std::string* scratch = nullptr;
};

/// The request head as the backend gets it: origin-form target, hop-by-hop fields removed (RFC 9110, 7.6.1),
/// ours added. Host and Expect are passed; no Via (a load balancer acts for the origin). False: no memory.
bool write_upstream_request(const http::RequestHead& request, const ForwardContext& context,
                            std::string& scratch, BufChain& out, BufPool& pool);

/// The response head as the client gets it, framed by `framing`. False: no memory.
struct ResponseContext {
  http::Framing framing;
  http::Version client_version = http::Version::kHttp11;
  bool close = false;
  bool upgrade = false;  ///< 101: Connection and Upgrade are passed.
  std::string_view strict_transport_security;  ///< Sent unless the backend has sent its own; empty: none.
  std::string_view set_cookie;     ///< A Set-Cookie field of our own; empty: none.
  std::string_view marked_cookie;  ///< A Set-Cookie field of this name gets `mark`, with the help of `scratch`.
  std::uint64_t mark = 0;
  std::string* scratch = nullptr;
};
bool write_client_response(const http::ResponseHead& response, const ResponseContext& context, BufChain& out,
                           BufPool& pool);
/// 1xx but 101.
bool write_interim_response(const http::ResponseHead& response, BufChain& out, BufPool& pool);

/// An identifier that may be passed on and logged: 1 to 64 characters of [A-Za-z0-9._:=+/-].
bool valid_request_id(std::string_view id);

/// The request target in origin-form (RFC 9112, 3.2.1); `scratch` is used for the rare target that must be
/// put together.
std::string_view origin_form(const http::RequestHead& request, std::string& scratch);

/// RFC 9110, 9.2.1.
bool is_safe(http::Method m);
/// RFC 9110, 9.2.2.
bool is_idempotent(http::Method m);

}  // namespace sluice::l7::proxy
