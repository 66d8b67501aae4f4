// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "l7/http1/fields.h"
#include "l7/http1/framing.h"
#include "l7/http1/parser.h"
#include "l7/http1/scan.h"
#include "l7/http1/target.h"

namespace sluice::l7::http1 {
namespace {

using http::FieldName;
using http::Method;
using http::RequestHead;
using http::Version;

constexpr std::size_t kMaxEmptyLines = 8;

ParseResult complete() { return {ParseStatus::kComplete, 0, {}}; }
ParseResult refuse(std::uint16_t status, std::string_view reason) {
  return {ParseStatus::kError, status, reason};
}
bool failed(const ParseResult& r) { return r.status == ParseStatus::kError; }

Method method_of(std::string_view text) {
  switch (text.size()) {
    case 3:
      return text == "GET" ? Method::kGet : text == "PUT" ? Method::kPut : Method::kOther;
    case 4:
      return text == "POST" ? Method::kPost : text == "HEAD" ? Method::kHead : Method::kOther;
    case 5:
      return text == "PATCH" ? Method::kPatch : text == "TRACE" ? Method::kTrace : Method::kOther;
    case 6:
      return text == "DELETE" ? Method::kDelete : Method::kOther;
    case 7:
      return text == "OPTIONS" ? Method::kOptions : text == "CONNECT" ? Method::kConnect : Method::kOther;
    default:
      return Method::kOther;
  }
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  Version version = Version::kHttp11;
};

// HTTP-version (RFC 9112, 2.3). Well formed but unknown is told apart from garbage.
ParseResult parse_version(std::string_view text, RequestLine& out) {
  if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || !is_digit(text[5]) || text[6] != '.' ||
      !is_digit(text[7])) {
    return refuse(400, "bad HTTP version");
  }
  if (text == "HTTP/1.1") {
    out.version = Version::kHttp11;
  } else if (text == "HTTP/1.0") {
    out.version = Version::kHttp10;
  } else if (out.method == "PRI" && out.target == "*" && text == "HTTP/2.0") {
    return refuse(505, "HTTP/2 preface on an HTTP/1 connection");  // RFC 9113, 3.4
  } else {
    return refuse(505, "unsupported HTTP version");
  }
  return complete();
}

// method SP request-target SP HTTP-version, with single spaces (RFC 9112, 3: what else could be read must not
// be).
ParseResult parse_request_line(std::string_view line, RequestLine& out) {
  std::size_t i = find_not_token(line);
  if (i == 0 || i == line.size() || line[i] != ' ') return refuse(400, "bad method");
  out.method = line.substr(0, i);
  line.remove_prefix(i + 1);
  i = find_not_target(line);
  if (i < line.size() && line[i] != ' ') return refuse(400, "bad character in the request target");
  if (i == 0) return refuse(400, "empty request target");
  if (i == line.size()) return refuse(400, "no HTTP version");
  out.target = line.substr(0, i);
  return parse_version(line.substr(i + 1), out);
}

// RFC 9112, 3.2: exactly one Host in HTTP/1.1, never a bad one.
ParseResult take_host(RequestHead& head, std::size_t count, std::string_view value) {
  if (count == 0) {
    return head.version == Version::kHttp11 ? refuse(400, "no Host field") : complete();
  }
  if (count > 1) return refuse(400, "several Host fields");
  std::string_view host;
  if (const auto wrong = parse_authority(value, host); !wrong.empty()) return refuse(400, wrong);
  if (head.authority.empty()) {
    head.authority = value;
    head.host = host;
  }
  return complete();
}

// What the fields say besides framing: Host, Expect, Upgrade.
ParseResult take_fields(RequestHead& head) {
  std::size_t hosts = 0;
  std::string_view host;
  bool has_upgrade = false, connection_upgrade = false;
  for (const http::Field& f : head.fields) {
    switch (f.id) {
      case FieldName::kHost:
        ++hosts;
        host = f.value;
        break;
      case FieldName::kExpect:
        if (!http::equals_ignore_case(f.value, "100-continue")) return refuse(417, "unknown expectation");
        head.expect_continue = true;
        break;
      case FieldName::kUpgrade:
        has_upgrade = has_upgrade || !f.value.empty();
        break;
      case FieldName::kConnection:
        connection_upgrade = connection_upgrade || http::list_has_token(f.value, "upgrade");
        break;
      default:
        break;
    }
  }
  // RFC 9110, 7.8 and 10.1.1: both mean nothing in HTTP/1.0.
  head.upgrade = has_upgrade && connection_upgrade && head.version == Version::kHttp11;
  if (head.version == Version::kHttp10) head.expect_continue = false;
  return take_host(head, hosts, host);
}

ParseResult parse_head(std::string_view text, std::size_t first_line, RequestHead& head) {
  RequestLine line;
  if (const auto r = parse_request_line(text.substr(0, first_line - 2), line); failed(r)) return r;
  head.method = method_of(line.method);
  head.method_text = line.method;
  head.target = line.target;
  head.version = line.version;
  head.path = head.query = head.authority = head.host = {};
  head.expect_continue = false;
  if (const auto wrong = parse_target(head); !wrong.empty()) return refuse(400, wrong);
  head.fields.clear();
  if (const auto wrong = parse_fields(text.substr(first_line), head.fields); !wrong.empty()) {
    return refuse(400, wrong);
  }
  if (const auto r = take_fields(head); failed(r)) return r;
  const FramingDecision d = request_framing(head.method, head.version, head.fields);
  if (!d.ok()) return refuse(d.http_status, d.reason);
  head.framing = d.framing;
  head.keep_alive = wants_keep_alive(head.version, head.fields);
  if (d.framing.kind == http::Framing::Kind::kNone) head.expect_continue = false;  // nothing to wait for
  return complete();
}

ParseResult refuse(HeadScanner::Event e) {
  switch (e) {
    case HeadScanner::Event::kLineTooLong:
      return refuse(414, "request line too long");
    case HeadScanner::Event::kTooLarge:
      return refuse(431, "head too large");
    case HeadScanner::Event::kTooManyFields:
      return refuse(431, "too many fields");
    default:
      return refuse(400, "bare LF");
  }
}

}  // namespace

// RFC 9112, 2.2: a server should ignore at least one CRLF before the request line. kComplete: go on.
ParseResult RequestParser::skip_empty_lines(BufChain& in) {
  while (scanner_.scanned() == 0 && !in.empty()) {
    std::uint8_t start[2] = {};
    const std::size_t have = std::min(in.size(), std::size(start));
    in.copy_out(0, std::span(start, have));
    if (start[0] != '\r') return complete();
    if (have < 2) return {};
    if (start[1] != '\n') return refuse(400, "bare CR");
    if (++empty_lines_ > kMaxEmptyLines) return refuse(400, "too many empty lines");
    in.drop_front(2);
  }
  return in.empty() ? ParseResult{} : complete();
}

// The request line alone, while the rest is still to come: "GET /" and the preface of HTTP/2 must not wait
// for an empty line that never comes, and what is wrong first is what is told.
ParseResult RequestParser::check_line(const BufChain& in) {
  const std::size_t size = scanner_.first_line();
  if (size == 0 || line_checked_) return complete();
  line_checked_ = true;
  RequestLine ignored;
  const auto front = BufChain::view(in.front());
  if (front.size() >= size) {
    return parse_request_line({reinterpret_cast<const char*>(front.data()), size - 2}, ignored);
  }
  std::string joined(size, '\0');  // rare: a request line across packets, in an unfinished head
  in.copy_out(0, std::span(reinterpret_cast<std::uint8_t*>(joined.data()), size));
  return parse_request_line(std::string_view(joined).substr(0, size - 2), ignored);
}

ParseResult RequestParser::parse(BufChain& in, HeadStorage& storage, http::RequestHead& head, BufPool& pool) {
  if (const auto r = skip_empty_lines(in); r.status != ParseStatus::kComplete) return r;
  const HeadScanner::Event event = scanner_.scan(in, limits_);
  if (event == HeadScanner::Event::kEnd) {
    const std::size_t size = scanner_.scanned(), first_line = scanner_.first_line();
    if (!storage.take(in, size, pool)) return refuse(503, "out of buffers");
    scanner_.reset();
    empty_lines_ = 0;
    line_checked_ = false;
    return parse_head({reinterpret_cast<const char*>(storage.bytes().data()), size}, first_line, head);
  }
  if (const auto r = check_line(in); failed(r)) return r;
  if (event != HeadScanner::Event::kMore) return refuse(event);
  compact(in, pool);
  return {};
}

}  // namespace sluice::l7::http1
