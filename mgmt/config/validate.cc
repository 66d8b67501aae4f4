// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/validate.h"

#include <algorithm>
#include <map>
#include <string>

#include "mgmt/config/address_range.h"
#include "mgmt/config/checks.h"
#include "mgmt/config/json.h"
#include "mgmt/config/names.h"
#include "mgmt/config/performance_class.h"

namespace sluice::mgmt::config {
namespace {

using detail::check_count;
using detail::check_one_of;
using detail::check_text;

/// A range and where it stands, to be compared with its neighbours.
struct PlacedRange {
  AddressRange range;
  std::string path;
};

void check_pools(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer pools_at = root / KindOf<AddressPool>::kMember;
  std::vector<PlacedRange> all;
  for (const auto& [id, pool] : config.address_pools) {
    const Pointer at = pools_at / id, ranges_at = at / "ranges";
    check_one_of(errors, at / "scheme", pool.scheme, {"internet", "internal"});
    check_count(errors, ranges_at, pool.ranges.size(), 1, kMaxAlternatives);
    for (std::size_t i = 0; i < pool.ranges.size(); ++i) {
      const auto range = AddressRange::parse(pool.ranges[i]);
      if (!range) {
        errors.add(ranges_at / i, "must be an address, a prefix without host bits, or \"first-last\"");
      } else if (!is_unicast(range->first) || !is_unicast(range->last)) {
        errors.add(ranges_at / i, "must be unicast addresses");
      } else {
        all.push_back({*range, (ranges_at / i).to_string()});
      }
    }
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.range.first < b.range.first; });
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (!all[i].range.overlaps(all[i - 1].range)) continue;
    errors.add(all[i].path, "overlaps with " + all[i - 1].path);
    // Keep the wider one to compare the next with.
    if (all[i].range.last < all[i - 1].range.last) all[i] = all[i - 1];
  }
}

void check_access_control_lists(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer kind_at = root / KindOf<AccessControlList>::kMember;
  for (const auto& [id, list] : config.access_control_lists) {
    const Pointer at = kind_at / id, entries_at = at / "entries";
    check_text(errors, at / "name", list.name);
    check_count(errors, entries_at, list.entries.size(), 0, kMaxAclEntries);
    for (std::size_t i = 0; i < list.entries.size() && !errors.full(); ++i) {
      if (!AddressRange::parse(list.entries[i]))
        errors.add(entries_at / i, "must be an address, a prefix without host bits, or \"first-last\"");
    }
  }
}

void check_pool_reference(ErrorList& errors, const Pointer& at, const LoadBalancer& lb, const Config& config) {
  detail::check_reference(errors, at, config.address_pools, lb.address_pool, "address pool");
  const auto pool = config.address_pools.find(lb.address_pool);
  if (pool != config.address_pools.end() && pool->second.scheme != lb.scheme)
    errors.add(at, "is a pool of scheme \"" + pool->second.scheme + "\", and the load balancer is not");
}

void check_limits(ErrorList& errors, const Pointer& at, const LoadBalancer& lb) {
  if (!lb.performance_class.empty() && find_performance_class(lb.performance_class) == nullptr) {
    std::vector<std::string_view> names;
    for (const PerformanceClass& c : performance_classes()) names.push_back(c.name);
    errors.add(at / "performance_class", "must be " + detail::alternatives(names) + ", or empty");
  }
  const Pointer limits_at = at / "limits";
  detail::check_range(errors, limits_at / "max_connections", lb.limits.max_connections, 0, kMaxLimit);
  detail::check_range(errors, limits_at / "connections_per_second", lb.limits.connections_per_second, 0, kMaxLimit);
  detail::check_range(errors, limits_at / "requests_per_second", lb.limits.requests_per_second, 0, kMaxLimit);
}

void check_load_balancers(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer kind_at = root / KindOf<LoadBalancer>::kMember;
  std::map<IpAddr, std::string_view> owners;
  for (const auto& [id, lb] : config.load_balancers) {
    const Pointer at = kind_at / id, addresses_at = at / "addresses";
    check_text(errors, at / "name", lb.name);
    check_one_of(errors, at / "scheme", lb.scheme, {"internet", "internal"});
    check_one_of(errors, at / "ip_version", lb.ip_version, {"any", "ipv4", "ipv6", "dual"});
    if (!lb.address_pool.empty()) check_pool_reference(errors, at / "address_pool", lb, config);
    check_limits(errors, at, lb);
    check_count(errors, addresses_at, lb.addresses.size(), 0, 64);
    for (std::size_t i = 0; i < lb.addresses.size(); ++i) {
      const auto address = IpAddr::parse(lb.addresses[i]);
      if (!address || !is_unicast(*address)) {
        errors.add(addresses_at / i, "must be a unicast IPv4 or IPv6 address");
      } else if (const auto [owner, added] = owners.emplace(*address, id); !added) {
        errors.add(addresses_at / i,
                   "is an address of load balancer \"" + std::string(owner->second) + "\" already");
      }
    }
  }
}

void check_listeners(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer kind_at = root / KindOf<Listener>::kMember;
  std::map<std::pair<std::string_view, std::uint32_t>, std::string_view> owners;
  for (const auto& [id, listener] : config.listeners) {
    const Pointer at = kind_at / id;
    detail::check_listener(errors, at, listener, config);
    const auto [owner, added] =
        owners.emplace(std::pair(std::string_view(listener.load_balancer), listener.port), id);
    if (!added) {
      errors.add(at / "port",
                 "is the port of listener \"" + std::string(owner->second) + "\" on this load balancer");
    }
  }
}

void check_certificates(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer kind_at = root / KindOf<Certificate>::kMember;
  for (const auto& [id, certificate] : config.certificates) {
    const Pointer at = kind_at / id;
    const std::string too_long = "must be at most " + std::to_string(kMaxPem) + " bytes long";
    if (certificate.certificate.empty()) errors.add(at / "certificate", "must be a certificate chain in PEM");
    if (certificate.certificate.size() > kMaxPem) errors.add(at / "certificate", too_long);
    if (certificate.private_key.empty()) {
      errors.add(at / "private_key",
                 "is required, unless the certificate exists already and has the same public key");
    }
    if (certificate.private_key.size() > kMaxPem) errors.add(at / "private_key", too_long);
  }
}

template <class T>
void check_common(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer kind_at = root / KindOf<T>::kMember;
  for (const auto& [id, item] : config.*KindOf<T>::kMap) {
    const Pointer at = kind_at / id;
    if (!is_id(id) || item.id != id) errors.add(at / "id", kIdRule);
    check_text(errors, at / "managed_by", item.managed_by, 128);
  }
}

void check_certificate_authorities(ErrorList& errors, const Pointer& root, const Config& config) {
  const Pointer kind_at = root / KindOf<CertificateAuthority>::kMember;
  const std::string too_long = "must be at most " + std::to_string(kMaxTrust) + " bytes long";
  for (const auto& [id, authority] : config.certificate_authorities) {
    const Pointer at = kind_at / id;
    check_text(errors, at / "name", authority.name);
    if (authority.certificates.empty()) errors.add(at / "certificates", "must hold at least one PEM certificate");
    if (authority.certificates.size() > kMaxTrust) errors.add(at / "certificates", too_long);
    if (authority.revocation_lists.size() > kMaxTrust) errors.add(at / "revocation_lists", too_long);
  }
}

}  // namespace

std::vector<FieldError> validate(const Config& config) {
  ErrorList errors;
  const Pointer root;
  check_common<AddressPool>(errors, root, config);
  check_common<AccessControlList>(errors, root, config);
  check_common<LoadBalancer>(errors, root, config);
  check_common<Listener>(errors, root, config);
  check_common<Rule>(errors, root, config);
  check_common<ServerGroup>(errors, root, config);
  check_common<Certificate>(errors, root, config);
  check_common<CertificateAuthority>(errors, root, config);
  check_common<TlsPolicy>(errors, root, config);

  check_pools(errors, root, config);
  check_access_control_lists(errors, root, config);
  check_load_balancers(errors, root, config);
  check_listeners(errors, root, config);
  const Pointer rules_at = root / KindOf<Rule>::kMember;
  for (const auto& [id, rule] : config.rules) detail::check_rule(errors, rules_at / id, rule, config);
  const Pointer groups_at = root / KindOf<ServerGroup>::kMember;
  for (const auto& [id, group] : config.server_groups)
    detail::check_server_group(errors, groups_at / id, group, config);
  check_certificates(errors, root, config);
  check_certificate_authorities(errors, root, config);
  const Pointer policies_at = root / KindOf<TlsPolicy>::kMember;
  for (const auto& [id, policy] : config.tls_policies) detail::check_tls_policy(errors, policies_at / id, policy);
  return errors.take();
}

void fill_defaults(Config& next) {
  for (auto& [id, group] : next.server_groups) {
    for (Member& m : group.members) {
      if (!m.id.empty()) continue;
      const auto address = IpAddr::parse(m.address);
      if (address) m.id = Endpoint{*address, static_cast<std::uint16_t>(m.port)}.to_string();
    }
  }
}

}  // namespace sluice::mgmt::config
