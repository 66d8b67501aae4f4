// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "dataplane/base/ip.h"
#include "dataplane/net/addresses.h"
#include "dataplane/net/interface.h"

namespace sluice::net {

/// Which addresses are ours, and on which port we say so. One a worker; set_vips() runs when a snapshot was
/// published, the rest for each packet.
class LocalAddresses {
 public:
  explicit LocalAddresses(std::span<const Interface> interfaces);

  /// Returns those that were not there before.
  std::vector<IpAddr> set_vips(const VipSet& vips);

  const std::vector<IpAddr>& vips() const { return vips_; }

  /// Own address, link-local address or VIP: packets for it are for us, whatever port they come in by.
  bool is_local(const IpAddr& a) const { return kind(a) != 0; }
  /// An address of a port (not a VIP): upstream connections use it.
  bool is_own(const IpAddr& a) const { return (kind(a) & kOwn) != 0; }
  /// Whether ARP and ND on `port` answer for it: own addresses on their own port; VIPs on the ports whose
  /// network they lie in, or on all when they lie in none.
  bool answers_on(PortId port, const IpAddr& a) const;
  /// All that answers_on(port).
  std::vector<IpAddr> answered_on(PortId port) const;

 private:
  static constexpr std::uint8_t kOwn = 1, kVip = 2;
  struct Slot {
    IpAddr address;
    std::uint8_t kind = 0;
  };
  std::uint8_t kind(const IpAddr& a) const;
  void rebuild(const VipSet& vips);

  std::span<const Interface> interfaces_;
  std::vector<IpAddr> vips_;
  std::vector<Slot> table_;  // open addressing, at most half full
};

}  // namespace sluice::net
