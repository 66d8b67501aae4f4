// SPDX-License-Identifier: Apache-2.0
#include "l7/http1/body.h"

#include <algorithm>
#include <cstring>

#include "l7/http1/fields.h"
#include "l7/http1/framing.h"
#include "l7/http1/scan.h"

namespace sluice::l7::http1 {
namespace {

using http::Framing;

constexpr std::size_t kMaxSizeLine = 1024;
constexpr std::size_t kMaxTrailers = 8 * 1024;
constexpr std::size_t kMaxExtensions = 16 * 1024;  // and as much as there is data
constexpr std::size_t kMaxSizeDigits = 15;         // an exabyte; no overflow to think about
/// Pieces below this are copied together: a reference costs about as much as the copy, and a body of tiny
/// chunks must not take a reference a chunk.
constexpr std::size_t kCopyBelow = 256;

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string_view skip_ows(std::string_view s) {
  while (!s.empty() && is_ows(s.front())) s.remove_prefix(1);
  return s;
}

std::string_view skip_token(std::string_view s) {
  while (!s.empty() && is_token_char(s.front())) s.remove_prefix(1);
  return s;
}

// Behind the opening quote; null data: not closed (RFC 9110, 5.6.4).
std::string_view skip_quoted(std::string_view s) {
  while (!s.empty() && s.front() != '"') {
    if (s.front() == '\\') s.remove_prefix(1);
    if (s.empty() || !is_value_char(s.front())) return {};
    s.remove_prefix(1);
  }
  return s.empty() ? std::string_view() : s.substr(1);
}

// *( BWS ";" BWS name [ BWS "=" BWS value ] ) (RFC 9112, 7.1.1). Ignored, but not blindly: what hides in
// there is how chunked messages are smuggled.
bool are_extensions(std::string_view s) {
  while (!s.empty()) {
    s = skip_ows(s);
    if (s.empty() || s.front() != ';') return false;
    s = skip_ows(s.substr(1));
    std::string_view after = skip_token(s);
    if (after.size() == s.size()) return false;
    s = after;
    after = skip_ows(s);
    if (after.empty() || after.front() != '=') continue;
    s = skip_ows(after.substr(1));
    if (!s.empty() && s.front() == '"') {
      s = skip_quoted(s.substr(1));
      if (s.data() == nullptr) return false;
    } else {
      after = skip_token(s);
      if (after.size() == s.size()) return false;
      s = after;
    }
  }
  return true;
}

}  // namespace

void BodyDecoder::start(const Framing& framing) {
  framing_ = framing;
  left_ = framing.length;
  decoded_ = extensions_ = 0;
  trailer_bytes_ = 0;
  line_.clear();
  trailers_.clear();
  reason_ = {};
  switch (framing.kind) {
    case Framing::Kind::kNone:
      state_ = State::kDone;
      break;
    case Framing::Kind::kLength:
      state_ = left_ > 0 ? State::kPlain : State::kDone;
      break;
    case Framing::Kind::kChunked:
      state_ = State::kSize;
      break;
    case Framing::Kind::kUntilClose:
    case Framing::Kind::kTunnel:
      state_ = State::kPlain;
      break;
  }
}

BodyDecoder::Status BodyDecoder::decode(BufChain& in, BufChain& out, BufPool& pool) {
  if (state_ == State::kPlain) return decode_plain(in, out, pool);
  return decode_chunked(in, out, pool);
}

BodyDecoder::Status BodyDecoder::finish() const {
  if (state_ == State::kDone) return Status::kDone;
  return state_ == State::kPlain && framing_.kind != Framing::Kind::kLength ? Status::kDone : Status::kError;
}

BodyDecoder::Status BodyDecoder::decode_plain(BufChain& in, BufChain& out, BufPool& pool) {
  if (framing_.kind != Framing::Kind::kLength) {
    decoded_ += in.size();
    out.append(std::move(in));
    return Status::kMore;
  }
  const std::size_t n = std::min<std::uint64_t>(left_, in.size());
  if (!move(n, in, out, pool)) return Status::kNoMemory;
  if (left_ > 0) return Status::kMore;
  state_ = State::kDone;
  return Status::kDone;
}

BodyDecoder::Status BodyDecoder::decode_chunked(BufChain& in, BufChain& out, BufPool& pool) {
  while (state_ != State::kDone && state_ != State::kFailed && !in.empty()) {
    if (state_ == State::kData) {
      if (!move(std::min<std::uint64_t>(left_, in.size()), in, out, pool)) return Status::kNoMemory;
      if (left_ == 0) state_ = State::kDataEnd;
      continue;
    }
    const std::size_t max = state_ == State::kSize      ? kMaxSizeLine
                            : state_ == State::kDataEnd ? 0
                                                        : kMaxTrailers - trailer_bytes_;
    const Line line = read_line(in, max);
    if (line == Line::kMore) continue;
    if (line == Line::kTooLong) {
      fail(state_ == State::kSize      ? "chunk-size line too long"
           : state_ == State::kDataEnd ? "no CRLF behind a chunk"
                                       : "trailers too large");
      break;
    }
    switch (state_) {
      case State::kSize:
        on_size_line();
        break;
      case State::kDataEnd:
        on_data_end();
        break;
      default:
        on_trailer_line();
        break;
    }
    line_.clear();
  }
  if (state_ == State::kFailed) return Status::kError;
  return state_ == State::kDone ? Status::kDone : Status::kMore;
}

// Part of the body, from `in` to `out`.
bool BodyDecoder::move(std::size_t n, BufChain& in, BufChain& out, BufPool& pool) {
  if (n == 0) return true;
  const auto front = BufChain::view(in.front());
  if (n < kCopyBelow && n < front.size()) {
    if (!out.append_copy(front.first(n), pool)) return false;
    in.drop_front(n);
  } else {
    BufChain part = in.take_front(n, pool);
    if (part.empty()) return false;
    out.append(std::move(part));
  }
  left_ -= n;
  decoded_ += n;
  return true;
}

// Moves bytes up to and with LF from `in` to line_. A line longer than `max` (without CRLF) is not gathered
// further.
BodyDecoder::Line BodyDecoder::read_line(BufChain& in, std::size_t max) {
  while (!in.empty()) {
    const auto bytes = BufChain::view(in.front());
    const std::size_t room = max + 2 - line_.size();
    const std::size_t n = std::min(room, bytes.size());
    const auto* lf = static_cast<const std::uint8_t*>(std::memchr(bytes.data(), '\n', n));
    const std::size_t taken = lf == nullptr ? n : static_cast<std::size_t>(lf - bytes.data()) + 1;
    line_.append(reinterpret_cast<const char*>(bytes.data()), taken);
    in.drop_front(taken);
    if (lf != nullptr) return Line::kWhole;
    if (line_.size() == max + 2) return Line::kTooLong;
  }
  return Line::kMore;
}

// chunk-size [ chunk-ext ] CRLF (RFC 9112, 7.1).
void BodyDecoder::on_size_line() {
  std::string_view line = line_;
  if (line.size() < 2 || line[line.size() - 2] != '\r') return fail("bare LF in a chunk-size line");
  line.remove_suffix(2);
  std::size_t digits = 0;
  std::uint64_t size = 0;
  for (; digits < line.size() && hex_value(line[digits]) >= 0; ++digits) {
    if (digits == kMaxSizeDigits) return fail("chunk too large");
    size = size << 4 | static_cast<std::uint64_t>(hex_value(line[digits]));
  }
  if (digits == 0) return fail("bad chunk size");
  line.remove_prefix(digits);
  if (!are_extensions(line)) return fail("bad chunk extension");
  // A chunk may carry as much in extensions as in data, and a little; not more, for this is work without a
  // result.
  extensions_ += line.size();
  if (extensions_ > kMaxExtensions + decoded_) return fail("too many chunk extensions");
  left_ = size;
  state_ = size > 0 ? State::kData : State::kTrailer;
}

void BodyDecoder::on_data_end() {
  if (line_ != "\r\n") return fail("no CRLF behind a chunk");
  state_ = State::kSize;
}

void BodyDecoder::on_trailer_line() {
  if (line_ == "\r\n") {
    state_ = State::kDone;
    return;
  }
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') return fail("bare LF in the trailers");
  trailer_bytes_ += line_.size();
  if (trailer_bytes_ > kMaxTrailers) return fail("trailers too large");
  std::string_view text = line_;
  http::Field f;
  if (const std::string_view wrong = parse_field_line(text, f); !wrong.empty()) return fail(wrong);
  if (forbidden_in_trailers(f.name)) return;
  trailers_.append(f.name).append(": ").append(f.value).append("\r\n");
}

void BodyDecoder::fail(std::string_view reason) {
  state_ = State::kFailed;
  reason_ = reason;
}

}  // namespace sluice::l7::http1
