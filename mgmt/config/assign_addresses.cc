// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>
#include <string>

#include "mgmt/config/address_range.h"
#include "mgmt/config/json.h"
#include "mgmt/config/pointer.h"
#include "mgmt/config/validate.h"

namespace sluice::mgmt::config {
namespace {

/// The ranges of one scheme in their order, and how far they are used up.
class Pools {
 public:
  Pools(const Config& config, const std::string& scheme) {
    for (const auto& [id, pool] : config.address_pools) {
      if (pool.scheme != scheme) continue;
      for (const std::string& text : pool.ranges) {
        if (const auto range = AddressRange::parse(text)) ranges_.push_back(*range);
      }
    }
    if (!ranges_.empty()) next_ = ranges_[0].first;
  }

  bool contains(const IpAddr& a) const {
    for (const AddressRange& r : ranges_) {
      if (r.contains(a)) return true;
    }
    return false;
  }

  /// The first address that is not in `taken`; never looks at one twice.
  std::optional<IpAddr> take(std::set<IpAddr>& taken) {
    while (range_ < ranges_.size()) {
      const IpAddr candidate = next_;
      if (candidate != ranges_[range_].last) {
        next_ = next_address(candidate);
      } else if (++range_ < ranges_.size()) {
        next_ = ranges_[range_].first;
      }
      if (taken.insert(candidate).second) return candidate;
    }
    return std::nullopt;
  }

 private:
  std::vector<AddressRange> ranges_;
  std::size_t range_ = 0;
  IpAddr next_;
};

/// The address that a pool gave the load balancer before, when it may keep it.
std::optional<IpAddr> kept_address(const LoadBalancer& lb, const Config& current, const Pools& pools,
                                   std::set<IpAddr>& taken) {
  const auto before = current.load_balancers.find(lb.id);
  if (before == current.load_balancers.end()) return std::nullopt;
  for (const std::string& text : before->second.addresses) {
    const auto address = IpAddr::parse(text);
    if (address && pools.contains(*address) && taken.insert(*address).second) return address;
  }
  return std::nullopt;
}

}  // namespace

std::vector<FieldError> assign_addresses(Config& next, const Config& current) {
  ErrorList errors;
  std::set<IpAddr> taken;
  std::vector<LoadBalancer*> open;
  for (auto& [id, lb] : next.load_balancers) {
    if (lb.addresses.empty()) open.push_back(&lb);
    for (const std::string& text : lb.addresses) {
      if (const auto address = IpAddr::parse(text)) taken.insert(*address);
    }
  }

  std::map<std::string, Pools> schemes;
  for (const LoadBalancer* lb : open) schemes.try_emplace(lb->scheme, next, lb->scheme);
  // Who had one keeps it, before anybody new chooses.
  for (LoadBalancer* lb : open) {
    if (const auto kept = kept_address(*lb, current, schemes.at(lb->scheme), taken)) {
      lb->addresses.push_back(kept->to_string());
    }
  }
  const Pointer root, kind_at = root / KindOf<LoadBalancer>::kMember;
  for (LoadBalancer* lb : open) {
    if (!lb->addresses.empty()) continue;
    if (const auto fresh = schemes.at(lb->scheme).take(taken)) {
      lb->addresses.push_back(fresh->to_string());
    } else {
      const Pointer at = kind_at / lb->id;
      errors.add(at / "addresses",
                 "must be given: no address pool of scheme \"" + lb->scheme + "\" has a free one");
    }
  }
  return errors.take();
}

}  // namespace sluice::mgmt::config
