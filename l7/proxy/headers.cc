// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/headers.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "l7/http1/writer.h"
#include "l7/proxy/sticky_cookie.h"

namespace sluice::l7::proxy {
namespace {

using http::Field;
using http::FieldList;
using http::FieldName;
using http::Framing;

/// The values of all Connection fields, which name further fields that stay on their hop.
class ConnectionValues {
 public:
  explicit ConnectionValues(const FieldList& fields) {
    if (!fields.has(FieldName::kConnection)) return;
    for (const Field& f : fields) {
      if (f.id == FieldName::kConnection) values_[count_++] = f.value;
    }
  }
  std::span<const std::string_view> span() const { return {values_.data(), count_}; }

 private:
  std::array<std::string_view, FieldList::kMax> values_;
  std::size_t count_ = 0;
};

/// What a trusted proxy in front of us said.
struct Incoming {
  std::string_view proto, host, port, real_ip;
  bool early = false;  ///< Whoever it was: a mark that must not get lost (RFC 8470, 5.1).
};

/// Told by no other field, and known to few, so that http::FieldName does not have it.
constexpr http1::LiteralName kClientPort = "X-Forwarded-Client-Srcport";

/// Names and values as ingress-nginx has them; the fingerprint is SHA-256.
void write_client_verdict(http1::HeadWriter& w, const ClientVerdict& client) {
  if (!client.asked) return;
  w.field("ssl-client-verify", client.certificate != nullptr ? "SUCCESS" : "NONE");
  if (client.certificate == nullptr) return;
  w.field("ssl-client-subject-dn", client.certificate->subject);
  w.field("ssl-client-issuer-dn", client.certificate->issuer);
  w.field("ssl-client-fingerprint", client.certificate->fingerprint);
  if (!client.certificate->escaped_pem.empty()) w.field("ssl-client-cert", client.certificate->escaped_pem);
}

void write_own_fields(http1::HeadWriter& w, const http::RequestHead& request, const ForwardContext& context,
                      const Incoming& in, std::string& forwarded_for) {
  const auto wanted = [&](ForwardedField f) { return (context.fields & f) != 0; };
  if (wanted(kForwardFor)) {
    if (!forwarded_for.empty()) forwarded_for += ", ";
    forwarded_for += context.client_address;
    w.field("X-Forwarded-For", forwarded_for);
  }
  if (wanted(kForwardProto)) w.field("X-Forwarded-Proto", in.proto.empty() ? context.scheme : in.proto);
  const std::string_view host = request.authority.empty() ? context.default_host : request.authority;
  if (wanted(kForwardHost)) w.field("X-Forwarded-Host", in.host.empty() ? host : in.host);
  if (wanted(kForwardPort)) {
    if (in.port.empty())
      w.field("X-Forwarded-Port", std::uint64_t{context.port});
    else
      w.field("X-Forwarded-Port", in.port);
  }
  if (wanted(kForwardRealIp)) w.field("X-Real-IP", in.real_ip.empty() ? context.client_address : in.real_ip);
  if (wanted(kForwardClientPort)) w.field(kClientPort, std::uint64_t{context.client_port});
  w.field("X-Request-ID", context.request_id);
  if (context.early || in.early) w.field("Early-Data", "1");
  write_client_verdict(w, context.client);
}

void write_passed_fields(http1::HeadWriter& w, const http::RequestHead& request,
                         const ForwardContext& context, Incoming& in, std::string& forwarded_for) {
  const ConnectionValues connection(request.fields);
  const bool keeps_client_port = context.trust_forwarded && (context.fields & kForwardClientPort) == 0;
  for (const Field& f : request.fields) {
    switch (f.id) {
      case FieldName::kHost:
      case FieldName::kXRequestId:
        break;  // written by us
      case FieldName::kCookie:
        if (http::is_hop_by_hop(f, connection.span())) break;
        if (context.marked_cookie.empty())
          w.pass(f);
        else
          w.field("Cookie", without_marks(f.value, context.marked_cookie, *context.scratch));
        break;
      case FieldName::kEarlyData:
        in.early = true;  // even when Connection names it; several, or of another value, are one of value 1
        break;
      case FieldName::kExpect:
        if (request.expect_continue) w.pass(f);
        break;
      case FieldName::kContentLength:
        // An empty body said so by the client is said so to the backend (RFC 9110, 8.6).
        if (request.framing.kind == Framing::Kind::kNone) w.field("Content-Length", std::uint64_t{0});
        break;
      case FieldName::kXForwardedFor:
        if (!context.trust_forwarded) break;
        if (!forwarded_for.empty()) forwarded_for += ", ";
        forwarded_for += f.value;
        break;
      case FieldName::kXForwardedProto:
        if (context.trust_forwarded) in.proto = f.value;
        break;
      case FieldName::kXForwardedHost:
        if (context.trust_forwarded) in.host = f.value;
        break;
      case FieldName::kXForwardedPort:
        if (context.trust_forwarded) in.port = f.value;
        break;
      case FieldName::kXRealIp:
        if (context.trust_forwarded) in.real_ip = f.value;
        break;
      case FieldName::kForwarded:
        if (context.trust_forwarded) w.pass(f);
        break;
      case FieldName::kSslClient:
        // A trusted proxy in front of us has spoken TLS with the client; where we do, ours are the only ones.
        if (context.trust_forwarded && !context.client.asked && !http::is_hop_by_hop(f, connection.span())) w.pass(f);
        break;
      default:
        if (!keeps_client_port && http::equals_ignore_case(f.name, kClientPort.text)) break;
        if (!http::is_hop_by_hop(f, connection.span())) w.pass(f);
        break;
    }
  }
}

/// Passes the fields of a response; Content-Length only where the framing does not say it.
void write_response_fields(http1::HeadWriter& w, const http::ResponseHead& response,
                           bool keep_content_length, const ResponseContext& context) {
  const ConnectionValues connection(response.fields);
  bool length_seen = false;
  for (const Field& f : response.fields) {
    if (f.id == FieldName::kContentLength) {
      // A list of equal values was accepted as one (RFC 9110, 8.6); one leaves.
      if (keep_content_length && !length_seen)
        w.field("Content-Length", f.value.substr(0, f.value.find_first_of(", \t")));
      length_seen = true;
      continue;
    }
    if (http::is_hop_by_hop(f, connection.span())) continue;
    if (!context.marked_cookie.empty() && http::equals_ignore_case(f.name, "Set-Cookie"))
      w.field("Set-Cookie", with_mark(f.value, context.marked_cookie, context.mark, *context.scratch));
    else
      w.pass(f);
  }
  if (!context.set_cookie.empty()) w.field("Set-Cookie", context.set_cookie);
  // RFC 6797, 7.1: once. The backend knows better.
  if (!context.strict_transport_security.empty() && !response.fields.has(FieldName::kStrictTransportSecurity))
    w.field("Strict-Transport-Security", context.strict_transport_security);
}

}  // namespace

bool write_upstream_request(const http::RequestHead& request, const ForwardContext& context,
                            std::string& scratch, BufChain& out, BufPool& pool) {
  http1::HeadWriter w(out, pool);
  w.request_line(request.method_text, origin_form(request, scratch));
  scratch.clear();
  // RFC 9112, 3.2.2: the authority of an absolute-form target takes the place of Host.
  w.field("Host", request.authority.empty() ? context.default_host : request.authority);
  Incoming in;
  write_passed_fields(w, request, context, in, scratch);
  write_own_fields(w, request, context, in, scratch);
  if (context.upgrade) {
    w.field("Connection", "upgrade");
    for (const Field& f : request.fields) {
      if (f.id == FieldName::kUpgrade) w.field("Upgrade", f.value);
    }
  }
  w.framing(request.framing);
  return w.finish();
}

bool write_client_response(const http::ResponseHead& response, const ResponseContext& context, BufChain& out,
                           BufPool& pool) {
  http1::HeadWriter w(out, pool);
  w.status_line(response.status, response.reason);
  // HEAD and 304 carry the length of what GET would have got; 1xx and 204 must not have one (RFC 9110, 8.6).
  const bool keep_length =
      context.framing.kind == Framing::Kind::kNone && response.status >= 200 && response.status != 204;
  write_response_fields(w, response, keep_length, context);
  if (context.upgrade) {
    w.field("Connection", "upgrade");
    for (const Field& f : response.fields) {
      if (f.id == FieldName::kUpgrade) w.field("Upgrade", f.value);
    }
  } else if (context.close) {
    w.field("Connection", "close");
  } else if (context.client_version == http::Version::kHttp10) {
    w.field("Connection", "keep-alive");
  }
  w.framing(context.framing);
  return w.finish();
}

bool write_interim_response(const http::ResponseHead& response, BufChain& out, BufPool& pool) {
  http1::HeadWriter w(out, pool);
  w.status_line(response.status, response.reason);
  write_response_fields(w, response, false, {});
  return w.finish();
}

bool valid_request_id(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._:=+/-").find(c) != std::string_view::npos;
  });
}

std::string_view origin_form(const http::RequestHead& request, std::string& scratch) {
  const std::string_view target = request.target;
  if (target.empty()) return "/";
  if (target.front() == '/' || target == "*") return target;
  // Absolute-form. OPTIONS on a URI without path and query means the whole server (RFC 9112, 3.2.4).
  if (request.path.empty() && request.query.empty() && request.method == http::Method::kOptions) return "*";
  scratch.assign(request.path.empty() ? std::string_view("/") : request.path);
  // An empty query ("/x?") is not told apart from none; it has no meaning of its own in absolute-form.
  if (!request.query.empty()) {
    scratch += '?';
    scratch += request.query;
  }
  return scratch;
}

bool is_safe(http::Method m) {
  return m == http::Method::kGet || m == http::Method::kHead || m == http::Method::kOptions || m == http::Method::kTrace;
}

bool is_idempotent(http::Method m) { return is_safe(m) || m == http::Method::kPut || m == http::Method::kDelete; }

}  // namespace sluice::l7::proxy
