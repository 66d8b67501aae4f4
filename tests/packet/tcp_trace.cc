// SPDX-License-Identifier: Apache-2.0
#include "tests/packet/tcp_trace.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <utility>

namespace sluice::test {
namespace {

[[noreturn]] void bad(std::string_view line) {
  std::fprintf(stderr, "trace line cannot be read: %.*s\n", static_cast<int>(line.size()), line.data());
  std::abort();
}

std::uint32_t number(const std::string& text, std::string_view line) {
  char* end = nullptr;
  const long long v = std::strtoll(text.c_str(), &end, 10);
  if (end == text.c_str()) bad(line);
  return static_cast<std::uint32_t>(v);
}

constexpr std::string_view kCodepoints[] = {"not-ect", "ect1", "ect0", "ce"};

std::uint8_t codepoint(const std::string& name, std::string_view line) {
  const auto at = std::find(std::begin(kCodepoints), std::end(kCodepoints), name);
  if (at == std::end(kCodepoints)) bad(line);
  return static_cast<std::uint8_t>(at - std::begin(kCodepoints));
}

void parse_option(TraceSegment& s, const std::string& text, std::string_view line) {
  std::istringstream in(text);
  std::string word, value;
  in >> word;
  if (word == "mss" && in >> value) {
    s.mss = number(value, line);
  } else if (word == "wscale" && in >> value) {
    s.wscale = number(value, line);
  } else if (word == "sackOK") {
    s.sack_ok = true;
  } else if (word == "TS") {
    s.ts = true;
    while (in >> word >> value) (word == "val" ? s.ts_value : s.ts_echo) = number(value, line);
  } else if (word == "sack") {
    while (in >> value) {
      const auto colon = value.find(':');
      if (colon == std::string::npos) bad(line);
      s.sack.emplace_back(number(value.substr(0, colon), line), number(value.substr(colon + 1), line));
    }
  } else {
    bad(line);
  }
}

void parse_options(TraceSegment& s, const std::string& text, std::string_view line) {
  s.options_given = true;
  std::istringstream in(text);
  for (std::string option; std::getline(in, option, ',');) {
    if (option.find_first_not_of(' ') != std::string::npos) parse_option(s, option, line);
  }
}

}  // namespace

TraceSegment TraceSegment::parse(std::string_view line) {
  TraceSegment s;
  std::string text(line);
  if (const auto open = text.find('<'); open != std::string::npos) {
    const auto close = text.find('>', open);
    if (close == std::string::npos) bad(line);
    parse_options(s, text.substr(open + 1, close - open - 1), line);
    text.resize(open);
  }
  std::istringstream in(text);
  std::string range, word, value;
  if (!(in >> s.flags >> range)) bad(line);
  const auto colon = range.find(':'), paren = range.find('(');
  if (colon == std::string::npos || paren == std::string::npos) bad(line);
  s.seq = number(range.substr(0, colon), line);
  s.length = number(range.substr(paren + 1), line);
  if (s.seq + s.length != number(range.substr(colon + 1), line)) bad(line);
  while (in >> word >> value) {
    if (word == "ack") {
      s.ack = number(value, line);
    } else if (word == "win") {
      s.window = number(value, line);
    } else if (word == "ip") {
      s.ip = codepoint(value, line);
    } else {
      bad(line);
    }
  }
  return s;
}

std::string TraceSegment::to_string() const {
  std::ostringstream out;
  const auto as_signed = [](std::uint32_t v) { return static_cast<std::int32_t>(v); };
  out << flags << ' ' << as_signed(seq) << ':' << as_signed(seq + length) << '(' << length << ')';
  if (ack) out << " ack " << as_signed(*ack);
  if (window) out << " win " << *window;
  if (ip) out << " ip " << kCodepoints[*ip & 3];
  std::string separator = " <";
  const auto option = [&](const std::string& text) { out << std::exchange(separator, ", ") << text; };
  if (mss) option("mss " + std::to_string(*mss));
  if (sack_ok) option("sackOK");
  if (wscale) option("wscale " + std::to_string(*wscale));
  if (ts)
    option("TS val " + std::to_string(ts_value.value_or(0)) + " ecr " + std::to_string(ts_echo.value_or(0)));
  if (!sack.empty()) {
    std::string text = "sack";
    for (const auto& [a, b] : sack) text += " " + std::to_string(a) + ":" + std::to_string(b);
    option(text);
  }
  if (separator == ", ") out << '>';
  return out.str();
}

bool TraceSegment::matches(const TraceSegment& actual) const {
  const auto same = [](const auto& wanted, const auto& got) { return !wanted || wanted == got; };
  if (flags != actual.flags || seq != actual.seq || length != actual.length) return false;
  if (!same(ack, actual.ack) || !same(window, actual.window) || !same(ip, actual.ip)) return false;
  if (!options_given) return true;
  if (mss != actual.mss || wscale != actual.wscale || sack_ok != actual.sack_ok || sack != actual.sack)
    return false;
  return ts == actual.ts && same(ts_value, actual.ts_value) && same(ts_echo, actual.ts_echo);
}

}  // namespace sluice::test
