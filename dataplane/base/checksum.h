// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/base/buf.h"
#include "dataplane/base/ip.h"

namespace sluice {

/// The Internet checksum (RFC 1071), over pieces of any length in a row: a piece may start at an odd offset.
/// All values are 16-bit words as they stand in memory (wire order), so no byte is swapped on the way.
class InternetChecksum {
 public:
  InternetChecksum& add(std::span<const std::uint8_t> bytes);
  InternetChecksum& add(const BufChain& chain);
  /// TCP and UDP pseudo-header: RFC 9293, 3.1 (IPv4) and RFC 8200, 8.1 (IPv6). `length` of header and
  /// payload.
  InternetChecksum& add_pseudo_header(const IpAddr& source, const IpAddr& destination, std::uint8_t protocol,
                                      std::uint32_t length);

  /// One's complement sum, not inverted: what a partial checksum (offload) holds. 0xffff over a message that
  /// includes its own right checksum.
  be16 sum() const;
  /// The value of the checksum field. UDP writes 0xffff for 0 (RFC 768).
  be16 checksum() const { return be16::from_raw(static_cast<std::uint16_t>(~sum().raw())); }
  bool valid() const { return sum().raw() == 0xffff; }

 private:
  std::uint64_t sum_ = 0;
  bool odd_ = false;
};

}  // namespace sluice
