// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/fields.h"
#include "l7/http1/framing.h"
#include "l7/http1/parser.h"
#include "l7/http1/scan.h"

namespace sluice::l7::http1 {
namespace {

using http::Framing;
using http::ResponseHead;
using http::Version;

ParseResult refuse(std::string_view reason) { return {ParseStatus::kError, 502, reason}; }

std::string_view reason_of(HeadScanner::Event e) {
  switch (e) {
    case HeadScanner::Event::kLineTooLong:
      return "status line too long";
    case HeadScanner::Event::kTooLarge:
      return "head too large";
    case HeadScanner::Event::kTooManyFields:
      return "too many fields";
    default:
      return "bare LF";
  }
}

// HTTP-version SP status-code [SP [reason-phrase]] (RFC 9112, 4; the second space is left out by many).
std::string_view parse_status_line(std::string_view line, ResponseHead& head) {
  if (line.size() < 12) return "bad status line";
  const std::string_view version = line.substr(0, 8);
  if (version == "HTTP/1.1") {
    head.version = Version::kHttp11;
  } else if (version == "HTTP/1.0") {
    head.version = Version::kHttp10;
  } else {
    return "bad HTTP version";
  }
  if (line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]))
    return "bad status code";
  head.status = static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  if (head.status < 100 || head.status > 599) return "bad status code";  // RFC 9110, 15
  head.reason = {};
  if (line.size() == 12) return {};
  if (line[12] != ' ') return "bad status code";
  head.reason = line.substr(13);
  return find_not_value(head.reason) == head.reason.size() ? "" : "control character in the reason phrase";
}

ParseResult parse_head(std::string_view text, std::size_t first_line, http::Method request_method,
                       ResponseHead& head) {
  if (const auto wrong = parse_status_line(text.substr(0, first_line - 2), head); !wrong.empty())
    return refuse(wrong);
  head.fields.clear();
  if (const auto wrong = parse_fields(text.substr(first_line), head.fields); !wrong.empty())
    return refuse(wrong);
  const FramingDecision d = response_framing(head.status, request_method, head.version, head.fields);
  if (!d.ok()) return refuse(d.reason);
  head.framing = d.framing;
  head.keep_alive = d.reusable && d.framing.kind != Framing::Kind::kUntilClose &&
                    d.framing.kind != Framing::Kind::kTunnel && wants_keep_alive(head.version, head.fields);
  return {ParseStatus::kComplete, 0, {}};
}

}  // namespace

ParseResult ResponseParser::parse(BufChain& in, http::Method request_method, HeadStorage& storage,
                                  http::ResponseHead& head, BufPool& pool) {
  const HeadScanner::Event event = scanner_.scan(in, limits_);
  if (event == HeadScanner::Event::kMore) {
    compact(in, pool);
    return {};
  }
  if (event != HeadScanner::Event::kEnd) return refuse(reason_of(event));
  const std::size_t size = scanner_.scanned(), first_line = scanner_.first_line();
  if (first_line == 0) return refuse("empty status line");
  if (!storage.take(in, size, pool)) return refuse("out of buffers");
  scanner_.reset();
  return parse_head({reinterpret_cast<const char*>(storage.bytes().data()), size}, first_line, request_method,
                    head);
}

}  // namespace sluice::l7::http1
