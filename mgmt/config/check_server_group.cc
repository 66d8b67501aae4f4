// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "mgmt/config/address_range.h"
#include "mgmt/config/checks.h"
#include "mgmt/config/names.h"
#include "mgmt/config/status_range.h"
#include "mgmt/config/tls_policy.h"

namespace sluice::mgmt::config::detail {
namespace {

void check_members(ErrorList& errors, const Pointer& at, const std::vector<Member>& members) {
  check_count(errors, at, members.size(), 0, kMaxMembers);
  std::set<std::string_view> ids;
  std::map<Endpoint, std::size_t> endpoints;
  for (std::size_t i = 0; i < members.size() && !errors.full(); ++i) {
    const Member& m = members[i];
    const Pointer member_at = at / i;
    const auto address = IpAddr::parse(m.address);
    if (!address || !is_unicast(*address)) {
      errors.add(member_at / "address", "must be a unicast IPv4 or IPv6 address");
    } else if (const auto [first, added] =
                   endpoints.emplace(Endpoint{*address, static_cast<std::uint16_t>(m.port)}, i);
               !added) {
      errors.add(member_at, "has the address and port of member " + std::to_string(first->second));
    } else if (!m.id.empty() && !ids.insert(m.id).second) {
      errors.add(member_at / "id", "is used twice in this group");
    }
    if (m.id.size() > 128 || !is_visible_ascii(m.id) || m.id.find('/') != m.id.npos) {
      errors.add(member_at / "id", "must be at most 128 visible ASCII characters without \"/\"");
    }
    check_range(errors, member_at / "port", m.port, 1, 65535);
    check_range(errors, member_at / "weight", m.weight, 0, kMaxWeight);
  }
}

void check_health_check(ErrorList& errors, const Pointer& at, const HealthCheck& check) {
  check_one_of(errors, at / "type", check.type, {"none", "tcp", "http"});
  check_range(errors, at / "interval_ms", check.interval_ms, 100, kDayMs);
  check_range(errors, at / "timeout_ms", check.timeout_ms, 10, kDayMs);
  check_range(errors, at / "healthy_threshold", check.healthy_threshold, 1, 100);
  check_range(errors, at / "unhealthy_threshold", check.unhealthy_threshold, 1, 100);
  check_range(errors, at / "port", check.port, 0, 65535);
  check_one_of(errors, at / "method", check.method, {"HEAD", "GET", "OPTIONS"});
  // A query is welcome here: this is a request target (RFC 9112, 3.2.1).
  if (!check.path.starts_with('/') || !is_visible_ascii(check.path) || check.path.size() > kMaxPath ||
      check.path.find('#') != check.path.npos) {
    errors.add(at / "path", "must start with \"/\" and be visible ASCII without \"#\"");
  }
  if (!check.host.empty() && !is_host_name(check.host))
    errors.add(at / "host", "must be a host name (RFC 1123)");
  const Pointer statuses_at = at / "statuses";
  check_count(errors, statuses_at, check.statuses.size(), 1, 32);
  for (std::size_t i = 0; i < check.statuses.size(); ++i) {
    if (!parse_status_range(check.statuses[i])) {
      errors.add(statuses_at / i, "must be a status or a range, such as \"204\" or \"200-399\"");
    }
  }
}

void check_stickiness(ErrorList& errors, const Pointer& at, const Stickiness& sticky) {
  constexpr std::uint64_t kYear = 365ull * 24 * 3600;
  check_one_of(errors, at / "type", sticky.type, {"none", "insert", "rewrite"});
  check_range(errors, at / "max_age_s", sticky.max_age_s, 0, kYear);
  if (sticky.cookie.empty()) {
    if (sticky.type == "rewrite") errors.add(at / "cookie", "must name the members' own cookie");
  } else if (sticky.cookie.size() > 64 || !is_token(sticky.cookie)) {
    errors.add(at / "cookie", "must be a cookie's name (RFC 6265) of at most 64 bytes");
  }
}

void check_tls(ErrorList& errors, const Pointer& at, const BackendTls& tls, const Config& config) {
  if (const auto policy = tls_policy_of(tls, config); !policy) errors.add(at / policy.error.member, policy.error.message);
  if (!tls.certificate_authority.empty()) {
    check_reference(errors, at / "certificate_authority", config.certificate_authorities, tls.certificate_authority,
                    "certificate authority");
  }
  check_range(errors, at / "verify_depth", tls.verify_depth, 0, 16);
  if (!tls.certificate.empty()) check_reference(errors, at / "certificate", config.certificates, tls.certificate, "certificate");
  // An address is no name (RFC 6066, 3); that of the member is verified when there is none.
  if (!tls.server_name.empty() && (!is_host_name(tls.server_name) || IpAddr::parse(tls.server_name)))
    errors.add(at / "server_name", "must be a host name (RFC 1123) and no address, or empty");
}

}  // namespace

void check_server_group(ErrorList& errors, const Pointer& at, const ServerGroup& group, const Config& config) {
  check_text(errors, at / "name", group.name);
  check_one_of(errors, at / "protocol", group.protocol, {"http", "https"});
  if (group.tls && group.protocol != "https") errors.add(at / "tls", "must not be there unless protocol is \"https\"");
  if (group.tls) check_tls(errors, at / "tls", *group.tls, config);
  check_one_of(errors, at / "scheduler", group.scheduler, {"weighted_round_robin", "least_connections"});
  check_members(errors, at / "members", group.members);
  check_health_check(errors, at / "health_check", group.health_check);
  check_stickiness(errors, at / "stickiness", group.stickiness);
  check_range(errors, at / "connect_timeout_ms", group.connect_timeout_ms, 1, kDayMs);
  check_range(errors, at / "request_timeout_ms", group.request_timeout_ms, 1, kDayMs);
  check_range(errors, at / "keep_alive_ms", group.keep_alive_ms, 0, kDayMs);
  check_range(errors, at / "max_idle_per_worker", group.max_idle_per_worker, 0, 65535);
  check_range(errors, at / "connect_attempts", group.connect_attempts, 1, 16);
}

}  // namespace sluice::mgmt::config::detail
