// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/framing.h"

#include <fmt/format.h>
#include <strings.h>

#include <charconv>

namespace sluice::pktgen {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::size_t kMaxHead = 16384;

std::string_view text_of(std::span<const std::uint8_t> b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view first_line(std::string_view head) {
  return head.substr(0, std::min(head.find('\r'), std::size_t{120}));
}

}  // namespace

std::string_view field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
    at += 2;
    if (head.size() <= at + name.size() || head[at + name.size()] != ':' ||
        !same(head.substr(at, name.size()), name)) {
      continue;
    }
    std::string_view value = head.substr(at + name.size() + 1);
    value = value.substr(0, value.find("\r\n"));
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    return value;
  }
  return {};
}

Verdict MessageReader::feed(std::span<const std::uint8_t> bytes, MessageRules& rules, std::string& why) {
  if (in_body_) return body(bytes, rules, why);
  const std::string_view text = text_of(bytes);
  if (!partial_ && !rules.known_head.empty() && text.starts_with(rules.known_head)) {
    close_ = rules.known_close;
    in_body_ = true;
    offset_ = 0;
    return body(bytes.subspan(rules.known_head.size()), rules, why);
  }
  if (!partial_) {
    const std::size_t end = text.find(kEnd);
    if (end != std::string_view::npos) {
      const std::size_t size = end + kEnd.size();
      if (const Verdict v = head_done(text.substr(0, size), rules, why); v != Verdict::kMore) return v;
      return body(bytes.subspan(size), rules, why);
    }
    partial_ = std::make_unique<std::string>();
  }
  const std::size_t had = partial_->size();
  partial_->append(text);
  const std::size_t end = partial_->find(kEnd, had < 3 ? 0 : had - 3);
  if (end == std::string::npos) {
    if (partial_->size() <= kMaxHead) return Verdict::kMore;
    why = fmt::format("no end of the head within {} bytes", kMaxHead);
    return Verdict::kHead;
  }
  const std::unique_ptr<std::string> head = std::move(partial_);
  head->resize(end + kEnd.size());
  if (const Verdict v = head_done(*head, rules, why); v != Verdict::kMore) return v;
  return body(bytes.subspan(head->size() - had), rules, why);
}

Verdict MessageReader::head_done(std::string_view head, MessageRules& rules, std::string& why) {
  if (!head.starts_with(rules.start)) {
    why = fmt::format("\"{}\" instead of \"{}\"", first_line(head), rules.start);
    return rules.wrong_start;
  }
  const std::string_view length = field(head, "content-length");
  std::size_t announced = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), announced);
  const bool whole = error == std::errc() && end == length.data() + length.size();
  const bool absent = length.empty() && rules.body->size() == 0;
  if (!field(head, "transfer-encoding").empty() || (!absent && (!whole || announced != rules.body->size()))) {
    why = fmt::format("Content-Length \"{}\", the body has {} bytes", length, rules.body->size());
    return Verdict::kHead;
  }
  close_ = same(field(head, "connection"), "close");
  rules.known_head = head;
  rules.known_close = close_;
  in_body_ = true;
  offset_ = 0;
  return Verdict::kMore;
}

Verdict MessageReader::body(std::span<const std::uint8_t> bytes, const MessageRules& rules,
                            std::string& why) {
  if (!rules.body->matches(offset_, bytes)) {
    why = rules.body->difference(offset_, bytes).value_or("");
    return Verdict::kBody;
  }
  offset_ += static_cast<std::uint32_t>(bytes.size());
  if (offset_ < rules.body->size()) return Verdict::kMore;
  in_body_ = false;
  return Verdict::kComplete;
}

}  // namespace sluice::pktgen
