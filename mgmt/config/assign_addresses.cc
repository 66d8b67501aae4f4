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

enum class Family : std::uint8_t { kAny, kIpv4, kIpv6 };

bool is_of(const IpAddr& a, Family family) {
  return family == Family::kAny || a.is_v4() == (family == Family::kIpv4);
}

/// Where a load balancer without addresses takes one from.
struct Source {
  std::string scheme, pool;  ///< No pool: all of the scheme.
  Family family = Family::kAny;
  auto operator<=>(const Source&) const = default;
};

std::vector<Source> sources_of(const LoadBalancer& lb) {
  std::vector<Family> families = {lb.ip_version == "ipv4"   ? Family::kIpv4
                                  : lb.ip_version == "ipv6" ? Family::kIpv6
                                                            : Family::kAny};
  if (lb.ip_version == "dual") families = {Family::kIpv4, Family::kIpv6};
  std::vector<Source> out;
  for (const Family f : families) out.push_back({lb.scheme, lb.address_pool, f});
  return out;
}

/// The ranges of one source in their order, and how far they are used up.
class Pools {
 public:
  Pools(const Config& config, const Source& source) {
    for (const auto& [id, pool] : config.address_pools) {
      if (pool.scheme != source.scheme || (!source.pool.empty() && id != source.pool)) continue;
      for (const std::string& text : pool.ranges) {
        const auto range = AddressRange::parse(text);
        if (range && is_of(range->first, source.family)) ranges_.push_back(*range);
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

/// "must be given: no address pool of scheme "internet" has a free IPv6 one".
std::string nothing_free(const Source& source) {
  const std::string where = source.pool.empty() ? "no address pool of scheme \"" + source.scheme + "\" has a free "
                                                : "address pool \"" + source.pool + "\" has no free ";
  const char* version = source.family == Family::kIpv4 ? "IPv4 " : source.family == Family::kIpv6 ? "IPv6 " : "";
  return "must be given: " + where + version + "one";
}

}  // namespace

std::vector<FieldError> assign_addresses(Config& next, const Config& current) {
  ErrorList errors;
  std::set<IpAddr> taken;
  /// One address that a load balancer lacks.
  struct Need {
    LoadBalancer* lb;
    Source source;
    std::optional<IpAddr> address;
  };
  std::vector<Need> needs;
  for (auto& [id, lb] : next.load_balancers) {
    if (lb.addresses.empty()) {
      for (Source& s : sources_of(lb)) needs.push_back({&lb, std::move(s), std::nullopt});
    }
    for (const std::string& text : lb.addresses) {
      if (const auto address = IpAddr::parse(text)) taken.insert(*address);
    }
  }

  std::map<Source, Pools> pools;
  for (const Need& n : needs) pools.try_emplace(n.source, next, n.source);
  // Who had one keeps it, before anybody new chooses.
  for (Need& n : needs) n.address = kept_address(*n.lb, current, pools.at(n.source), taken);
  const Pointer root, kind_at = root / KindOf<LoadBalancer>::kMember;
  for (Need& n : needs) {
    if (!n.address) n.address = pools.at(n.source).take(taken);
    if (n.address) {
      n.lb->addresses.push_back(n.address->to_string());
    } else {
      const Pointer at = kind_at / n.lb->id;
      errors.add(at / "addresses", nothing_free(n.source));
    }
  }
  return errors.take();
}

}  // namespace sluice::mgmt::config
