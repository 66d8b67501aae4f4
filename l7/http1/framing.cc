// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/framing.h"

#include <algorithm>
#include <array>

#include "l7/http1/scan.h"

namespace sluice::l7::http1 {
namespace {

using http::FieldName;
using http::Framing;
using http::Method;
using http::Version;

struct BodyFields {
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  std::string_view length;
  std::string_view encoding;
};

BodyFields collect(const http::FieldList& fields) {
  BodyFields out;
  if (!fields.has(FieldName::kContentLength) && !fields.has(FieldName::kTransferEncoding)) return out;
  for (const http::Field& f : fields) {
    if (f.id == FieldName::kContentLength) {
      ++out.lengths;
      out.length = f.value;
    } else if (f.id == FieldName::kTransferEncoding) {
      ++out.encodings;
      out.encoding = f.value;
    }
  }
  return out;
}

FramingDecision refuse(std::uint16_t status, std::string_view reason) { return {{}, status, reason}; }

// 1*DIGIT (RFC 9110, 8.6) that fits 64 bits with room to add to: no sign, no list, no white space. 18 digits
// are an exabyte.
bool parse_length(std::string_view text, std::uint64_t& out) {
  if (text.empty() || text.size() > 18) return false;
  std::uint64_t n = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  out = n;
  return true;
}

enum class Coding : std::uint8_t { kChunked, kUnknownThenChunked, kBad };

// Only "chunked" alone can be decoded. Another coding under a final chunked has a known end and is told apart
// from garbage (RFC 9112, 6.1 and 6.3); a list whose last element is not chunked, or that has it twice, has
// no safe end.
Coding classify_encoding(std::string_view value) {
  if (http::equals_ignore_case(value, "chunked")) return Coding::kChunked;
  while (true) {
    const std::size_t comma = value.find(',');
    std::string_view element = value.substr(0, comma);
    while (!element.empty() && is_ows(element.front())) element.remove_prefix(1);
    while (!element.empty() && is_ows(element.back())) element.remove_suffix(1);
    if (!is_token(element)) return Coding::kBad;
    const bool chunked = http::equals_ignore_case(element, "chunked");
    if (comma == std::string_view::npos) return chunked ? Coding::kUnknownThenChunked : Coding::kBad;
    if (chunked) return Coding::kBad;
    value.remove_prefix(comma + 1);
  }
}

// The rules that hold for both directions; `found` says whether a field framed the message.
FramingDecision framing_of(const BodyFields& f, Version version, bool& found) {
  found = f.lengths + f.encodings > 0;
  if (f.lengths > 0 && f.encodings > 0) {
    return refuse(400, "both Content-Length and Transfer-Encoding");  // RFC 9112, 6.3 item 3: smuggling
  }
  if (f.encodings > 0) {
    if (f.encodings > 1) return refuse(400, "several Transfer-Encoding fields");
    if (version == Version::kHttp10) return refuse(400, "Transfer-Encoding in HTTP/1.0");  // RFC 9112, 6.1
    switch (classify_encoding(f.encoding)) {
      case Coding::kChunked:
        return {{Framing::Kind::kChunked, 0}, 0, {}};
      case Coding::kUnknownThenChunked:
        return refuse(501, "unsupported transfer coding");
      case Coding::kBad:
        return refuse(400, "bad Transfer-Encoding");
    }
  }
  if (f.lengths > 0) {
    // RFC 9110, 8.6 would let identical values pass; who sends two is not trusted with where the message
    // ends.
    if (f.lengths > 1) return refuse(400, "several Content-Length fields");
    std::uint64_t n = 0;
    if (!parse_length(f.length, n)) return refuse(400, "bad Content-Length");
    return {{n > 0 ? Framing::Kind::kLength : Framing::Kind::kNone, n}, 0, {}};
  }
  return {};
}

}  // namespace

FramingDecision request_framing(Method method, Version version, const http::FieldList& fields) {
  const BodyFields body = collect(fields);
  bool found = false;
  FramingDecision d = framing_of(body, version, found);
  if (!d.ok()) return d;
  // A body of a CONNECT has no defined meaning (RFC 9110, 9.3.6); bytes that one side reads as body and the
  // other as tunnel are not let in.
  if (method == Method::kConnect && found) return refuse(400, "CONNECT with a body");
  return d;
}

FramingDecision response_framing(std::uint16_t status, Method request_method, Version version,
                                 const http::FieldList& fields) {
  const BodyFields body = collect(fields);
  bool found = false;
  FramingDecision d = framing_of(body, version, found);
  if (!d.ok()) {
    d.http_status = 502;
    return d;
  }
  // RFC 9112, 6.3 items 1 and 2.
  if (status == 101) return {{Framing::Kind::kTunnel, 0}, 0, {}};
  const bool announced = d.framing.kind != Framing::Kind::kNone;
  if (status < 200 && announced)
    return refuse(502, "interim response with a body");  // RFC 9110, 8.6; RFC 9112, 6.1
  if (status < 200 || request_method == Method::kHead || status == 304) return {};
  if (status == 204) {
    // Must not announce a body either, but servers do. Whether one follows is anyone's guess: take nothing
    // more from there.
    d = {};
    d.reusable = !announced;
    return d;
  }
  if (request_method == Method::kConnect && status < 300) return {{Framing::Kind::kTunnel, 0}, 0, {}};
  if (!found) d.framing.kind = Framing::Kind::kUntilClose;  // item 8
  return d;
}

bool wants_keep_alive(Version version, const http::FieldList& fields) {
  if (!fields.has(FieldName::kConnection)) return version != Version::kHttp10;
  bool close = false, keep = false;
  for (const http::Field& f : fields) {
    if (f.id != FieldName::kConnection) continue;
    close = close || http::list_has_token(f.value, "close");
    keep = keep || http::list_has_token(f.value, "keep-alive");
  }
  return !close && (version != Version::kHttp10 || keep);
}

bool forbidden_in_trailers(std::string_view name) {
  // Framing, routing, request modifiers, authentication, response control and what describes the content; and
  // the fields by which this proxy tells a backend who the client is.
  static constexpr std::array<std::string_view, 46> kNames = {"age",
                                                              "authorization",
                                                              "cache-control",
                                                              "connection",
                                                              "content-encoding",
                                                              "content-length",
                                                              "content-range",
                                                              "content-type",
                                                              "cookie",
                                                              "date",
                                                              "early-data",
                                                              "expect",
                                                              "expires",
                                                              "forwarded",
                                                              "host",
                                                              "http2-settings",
                                                              "if-match",
                                                              "if-modified-since",
                                                              "if-none-match",
                                                              "if-range",
                                                              "if-unmodified-since",
                                                              "keep-alive",
                                                              "location",
                                                              "max-forwards",
                                                              "origin",
                                                              "pragma",
                                                              "proxy-authenticate",
                                                              "proxy-authentication-info",
                                                              "proxy-authorization",
                                                              "proxy-connection",
                                                              "range",
                                                              "referer",
                                                              "retry-after",
                                                              "set-cookie",
                                                              "te",
                                                              "trailer",
                                                              "transfer-encoding",
                                                              "upgrade",
                                                              "vary",
                                                              "via",
                                                              "warning",
                                                              "www-authenticate",
                                                              "x-original-url",
                                                              "x-real-ip",
                                                              "x-request-id",
                                                              "x-rewrite-url"};
  if (name.size() >= 12 && http::equals_ignore_case(name.substr(0, 12), "x-forwarded-")) return true;
  if (http::is_ssl_client_name(name)) return true;
  return std::any_of(kNames.begin(), kNames.end(),
                     [name](std::string_view n) { return http::equals_ignore_case(n, name); });
}

}  // namespace sluice::l7::http1
