// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "dataplane/base/ip.h"

namespace sluice::l7 {

/// Which sources may connect to a listener: those in its networks, or all others. Immutable; any thread.
class SourceFilter {
 public:
  /// First and last address, of one family.
  using Range = std::pair<IpAddr, IpAddr>;
  enum class Type : std::uint8_t { kAllow, kDeny };

  /// Ranges in any order, overlapping or not.
  SourceFilter(Type type, const std::vector<Range>& ranges);

  /// A binary search; no allocation.
  bool admits(const IpAddr& source) const;

 private:
  static void merge(std::vector<Range>& ranges);

  Type type_;
  // By family: an IPv4 address is held as an IPv6 one, and must not be found in ::/0. Disjoint and ascending.
  std::vector<Range> v4_, v6_;
};

}  // namespace sluice::l7
