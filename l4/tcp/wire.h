// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/ip.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

/// Control bits, RFC 9293, 3.1.
enum Flag : std::uint8_t {
  kFin = 0x01,
  kSyn = 0x02,
  kRst = 0x04,
  kPsh = 0x08,
  kAck = 0x10,
  kUrg = 0x20,
  kEce = 0x40,  ///< RFC 3168, 6.1.
  kCwr = 0x80,
};

inline constexpr std::size_t kMinHeader = 20;
inline constexpr std::size_t kMaxHeader = 60;
inline constexpr std::size_t kTimestampBytes = 12;  ///< With its padding.
inline constexpr std::size_t kMaxSackBlocks = 4;

/// Bytes [begin, end) that a receiver holds above its cumulative ACK (RFC 2018).
struct SackBlock {
  SeqNum begin, end;
  friend constexpr bool operator==(const SackBlock&, const SackBlock&) = default;
};

struct Timestamp {
  std::uint32_t value = 0, echo = 0;
  friend constexpr bool operator==(const Timestamp&, const Timestamp&) = default;
};

/// What a header's options say: RFC 9293 3.2 (MSS), 7323 (window scale, timestamps), 2018 (SACK).
struct Options {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  std::optional<Timestamp> timestamp;
  bool sack_permitted = false;
  std::uint8_t sack_count = 0;
  std::array<SackBlock, kMaxSackBlocks> sack{};

  void add_sack(SackBlock b) {
    if (sack_count < kMaxSackBlocks) sack[sack_count++] = b;
  }
  std::span<const SackBlock> sacks() const { return {sack.data(), sack_count}; }
};

/// A header as values.
struct Header {
  std::uint16_t source_port = 0, destination_port = 0;
  SeqNum seq, ack;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;  ///< As on the wire: not scaled.
  Options options;

  bool has(Flag f) const { return (flags & f) != 0; }
};

/// Reads a header whose fixed part and data offset the IP layer has checked (`bytes` is the whole header with
/// its options). Empty when an option's length is illegal (RFC 9293, MUST-7): such a segment is dropped.
std::optional<Header> parse_header(std::span<const std::uint8_t> bytes);
/// Empty: illegal.
std::optional<Options> parse_options(std::span<const std::uint8_t> bytes);

/// Bytes of the header with these options, padded to a multiple of four.
std::size_t header_size(const Options& options);
/// Writes header_size() bytes; the checksum is left 0 for the IP layer.
void write_header(std::span<std::uint8_t> out, const Header& header);

}  // namespace sluice::l4::tcp
