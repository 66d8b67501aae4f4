// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/wire.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/wire.h"

namespace sluice::l4::tcp {
namespace {

using net::wire::load16, net::wire::load32;

// Option kinds.
constexpr std::uint8_t kEnd = 0, kNop = 1, kMss = 2, kWindowScale = 3, kSackPermitted = 4, kSack = 5,
                       kTimestamps = 8;
// RFC 7323, 2.3: a larger shift is read as 14.
constexpr std::uint8_t kMaxShift = 14;

/// Writes forward through space that header_size() has measured.
class Writer {
 public:
  explicit Writer(std::uint8_t* at) : at_(at) {}
  void u8(unsigned v) { *at_++ = static_cast<std::uint8_t>(v); }
  void u16(unsigned v) {
    u8(v >> 8);
    u8(v);
  }
  void u32(std::uint32_t v) {
    u16(v >> 16);
    u16(v);
  }
  std::uint8_t* at() const { return at_; }

 private:
  std::uint8_t* at_;
};

/// One option's body. False: its length does not belong to its kind.
bool read_option(std::uint8_t kind, std::span<const std::uint8_t> body, Options& out) {
  switch (kind) {
    case kMss:
      if (body.size() != 2) return false;
      out.mss = load16(body.data());
      return true;
    case kWindowScale:
      if (body.size() != 1) return false;
      out.window_scale = std::min(body[0], kMaxShift);
      return true;
    case kSackPermitted:
      if (!body.empty()) return false;
      out.sack_permitted = true;
      return true;
    case kSack:
      if (body.empty() || body.size() % 8 != 0) return false;
      for (std::size_t i = 0; i < body.size(); i += 8) {
        out.add_sack({SeqNum(load32(&body[i])), SeqNum(load32(&body[i + 4]))});
      }
      return true;
    case kTimestamps:
      if (body.size() != 8) return false;
      out.timestamp = Timestamp{load32(body.data()), load32(body.data() + 4)};
      return true;
    default:
      return true;  // RFC 9293, MUST-6: ignore an option that is not implemented
  }
}

}  // namespace

std::optional<Options> parse_options(std::span<const std::uint8_t> bytes) {
  Options out;
  while (!bytes.empty()) {
    const std::uint8_t kind = bytes[0];
    if (kind == kEnd) break;
    if (kind == kNop) {
      bytes = bytes.subspan(1);
      continue;
    }
    if (bytes.size() < 2 || bytes[1] < 2 || bytes[1] > bytes.size()) return std::nullopt;
    if (!read_option(kind, bytes.subspan(2, bytes[1] - 2u), out)) return std::nullopt;
    bytes = bytes.subspan(bytes[1]);
  }
  return out;
}

std::optional<Header> parse_header(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kMinHeader) return std::nullopt;
  const auto options = parse_options(bytes.subspan(kMinHeader));
  if (!options) return std::nullopt;
  const std::uint8_t* p = bytes.data();
  Header h;
  h.source_port = load16(p);
  h.destination_port = load16(p + 2);
  h.seq = SeqNum(load32(p + 4));
  h.ack = SeqNum(load32(p + 8));
  h.flags = p[13];
  h.window = load16(p + 14);
  h.options = *options;
  return h;
}

std::size_t header_size(const Options& o) {
  std::size_t n = kMinHeader;
  if (o.mss) n += 4;
  if (o.window_scale) n += 4;             // with a NOP in front
  if (o.timestamp) n += kTimestampBytes;  // with two NOPs in front (RFC 7323, appendix A)
  if (o.sack_permitted) n += 4;           // with two NOPs in front
  if (o.sack_count > 0) n += 4 + 8u * o.sack_count;
  return n;
}

void write_header(std::span<std::uint8_t> out, const Header& h) {
  Writer w(out.data());
  w.u16(h.source_port);
  w.u16(h.destination_port);
  w.u32(h.seq.value());
  w.u32(h.ack.value());
  w.u8(static_cast<unsigned>(header_size(h.options) / 4) << 4);
  w.u8(h.flags);
  w.u16(h.window);
  w.u32(0);  // checksum and urgent pointer
  const Options& o = h.options;
  if (o.mss) {
    w.u16(kMss << 8 | 4);
    w.u16(*o.mss);
  }
  if (o.window_scale) {
    w.u32(static_cast<std::uint32_t>(kNop) << 24 | kWindowScale << 16 | 3 << 8 | *o.window_scale);
  }
  if (o.sack_permitted) w.u32(kNop << 24 | kNop << 16 | kSackPermitted << 8 | 2);
  if (o.timestamp) {
    w.u32(kNop << 24 | kNop << 16 | kTimestamps << 8 | 10);
    w.u32(o.timestamp->value);
    w.u32(o.timestamp->echo);
  }
  if (o.sack_count > 0) {
    w.u32(static_cast<std::uint32_t>(kNop << 24 | kNop << 16 | kSack << 8 | (2 + 8 * o.sack_count)));
    for (const SackBlock& b : o.sacks()) {
      w.u32(b.begin.value());
      w.u32(b.end.value());
    }
  }
}

}  // namespace sluice::l4::tcp
