// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/address_range.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::mgmt::config {
namespace {

IpAddr from_bytes(const std::array<std::uint8_t, 16>& bytes) {
  const IpAddr as_v6 = IpAddr::v6_bytes(bytes.data());
  return as_v6.is_v4() ? IpAddr::v4_bytes(bytes.data() + 12) : as_v6;
}

std::optional<AddressRange> from_prefix(const IpPrefix& prefix) {
  auto low = prefix.address.bytes();
  auto high = low;
  const std::size_t fixed = prefix.length + (prefix.address.is_v4() ? 96u : 0u);
  for (std::size_t bit = fixed; bit < 128; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80u >> (bit % 8));
    if ((low[bit / 8] & mask) != 0) return std::nullopt;
    high[bit / 8] |= mask;
  }
  return AddressRange{from_bytes(low), from_bytes(high)};
}

}  // namespace

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash != text.npos) {
    const auto first = IpAddr::parse(text.substr(0, dash));
    const auto last = IpAddr::parse(text.substr(dash + 1));
    if (!first || !last || first->is_v4() != last->is_v4() || *last < *first) return std::nullopt;
    return AddressRange{*first, *last};
  }
  const auto prefix = IpPrefix::parse(text);
  return prefix ? from_prefix(*prefix) : std::nullopt;
}

IpAddr next_address(const IpAddr& a) {
  auto bytes = a.bytes();
  for (std::size_t i = bytes.size(); i-- > 0;) {
    if (++bytes[i] != 0) break;
  }
  return from_bytes(bytes);
}

bool is_unicast(const IpAddr& a) {
  if (a.is_unspecified() || a.is_multicast() || a.is_v4_broadcast() || a.is_loopback() || a.is_link_local()) {
    return false;
  }
  if (a.is_v6()) return true;
  const std::uint32_t top = a.v4_value() >> 24;
  return top != 0 && top < 224;
}

}  // namespace sluice::mgmt::config
