// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "dataplane/base/ip.h"

namespace sluice::mgmt::config {

/// Consecutive addresses of one family, both ends included.
struct AddressRange {
  IpAddr first, last;
  /// "192.0.2.10-192.0.2.20", "192.0.2.0/28", "2001:db8::10". A prefix must not have host bits.
  static std::optional<AddressRange> parse(std::string_view text);
  bool contains(const IpAddr& a) const { return first <= a && a <= last; }
  bool overlaps(const AddressRange& other) const { return first <= other.last && other.first <= last; }
};

/// The address after `a`. Not for the last one of its family.
IpAddr next_address(const IpAddr& a);

/// One that a host can have and that we can serve or reach: not unspecified, multicast, broadcast, loopback,
/// link-local, nor in 0/8 or 240/4 (RFC 1122, 3.2.1.3; RFC 4291, 2.4).
bool is_unicast(const IpAddr& a);

}  // namespace sluice::mgmt::config
