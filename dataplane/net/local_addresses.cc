// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/local_addresses.h"

#include <algorithm>
#include <bit>

namespace sluice::net {
namespace {

std::size_t hash(const IpAddr& a) { return hash_value(Endpoint{a, 0}, 0); }

bool on_link(const Interface& itf, const IpAddr& a) {
  return std::ranges::any_of(itf.addresses, [&](const IpPrefix& p) { return p.contains(a); });
}

}  // namespace

LocalAddresses::LocalAddresses(std::span<const Interface> interfaces) : interfaces_(interfaces) {
  rebuild({});
}

std::vector<IpAddr> LocalAddresses::set_vips(const VipSet& vips) {
  std::vector<IpAddr> fresh;
  std::ranges::set_difference(vips.addresses, vips_, std::back_inserter(fresh));
  rebuild(vips);
  return fresh;
}

void LocalAddresses::rebuild(const VipSet& vips) {
  vips_ = vips.addresses;
  std::size_t count = vips_.size();
  for (const Interface& i : interfaces_) count += i.addresses.size() + 1;
  table_.assign(std::bit_ceil(2 * count + 2), Slot{});
  const auto insert = [&](const IpAddr& a, std::uint8_t kind) {
    std::size_t at = hash(a);
    while (table_[at & (table_.size() - 1)].kind != 0 && table_[at & (table_.size() - 1)].address != a) ++at;
    Slot& slot = table_[at & (table_.size() - 1)];
    slot.address = a;
    slot.kind |= kind;
  };
  for (const Interface& i : interfaces_) {
    insert(i.link_local, kOwn);
    for (const IpPrefix& p : i.addresses) insert(p.address, kOwn);
  }
  for (const IpAddr& a : vips_) insert(a, kVip);
}

std::uint8_t LocalAddresses::kind(const IpAddr& a) const {
  for (std::size_t at = hash(a);; ++at) {
    const Slot& slot = table_[at & (table_.size() - 1)];
    if (slot.kind == 0 || slot.address == a) return slot.kind;
  }
}

bool LocalAddresses::answers_on(PortId port, const IpAddr& a) const {
  const std::uint8_t k = kind(a);
  if (k == 0) return false;
  const Interface& itf = interfaces_[port.value];
  if ((k & kOwn) != 0) {
    if (itf.link_local == a) return true;
    if (std::ranges::any_of(itf.addresses, [&](const IpPrefix& p) { return p.address == a; })) return true;
    // Another port's own address stays there.
    return false;
  }
  if (on_link(itf, a)) return true;
  return std::ranges::none_of(interfaces_, [&](const Interface& i) { return on_link(i, a); });
}

std::vector<IpAddr> LocalAddresses::answered_on(PortId port) const {
  std::vector<IpAddr> out{interfaces_[port.value].link_local};
  for (const IpPrefix& p : interfaces_[port.value].addresses) out.push_back(p.address);
  for (const IpAddr& a : vips_) {
    if (answers_on(port, a) && std::ranges::find(out, a) == out.end()) out.push_back(a);
  }
  return out;
}

}  // namespace sluice::net
