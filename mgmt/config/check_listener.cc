// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "l7/http/message.h"
#include "mgmt/config/checks.h"
#include "mgmt/config/names.h"
#include "mgmt/config/tls_policy.h"

namespace sluice::mgmt::config::detail {
namespace {

void check_server_names(ErrorList& errors, const Pointer& at, const std::vector<std::string>& names) {
  check_count(errors, at, names.size(), 0, kMaxServerNames);
  for (std::size_t i = 0; i < names.size() && !errors.full(); ++i) {
    if (!is_host_pattern(names[i])) errors.add(at / i, "must be a host name (RFC 1123), or one behind \"*.\"");
  }
}

void check_tls(ErrorList& errors, const Pointer& at, const Listener& listener, const Config& config) {
  if (const auto policy = tls_policy_of(listener, config); !policy) errors.add(at / policy.error.member, policy.error.message);
  const Pointer certificates_at = at / "certificates";
  if (listener.protocol != "https" && !listener.certificates.empty()) {
    errors.add(certificates_at, "must be empty unless protocol is \"https\"");
  }
  check_count(errors, certificates_at, listener.certificates.size(), 0, kMaxCertificates);
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < listener.certificates.size(); ++i) {
    const CertificateRef& ref = listener.certificates[i];
    const Pointer one_at = certificates_at / i, id_at = one_at / "certificate";
    check_reference(errors, ref.hosts ? id_at : one_at, config.certificates, ref.certificate, "certificate");
    if (!seen.insert(ref.certificate).second) errors.add(one_at, "is named twice in this listener");
    if (ref.hosts) check_server_names(errors, one_at / "hosts", *ref.hosts);
  }
}

void check_client_authentication(ErrorList& errors, const Pointer& at, const ClientAuthentication& how, const Config& config) {
  check_one_of(errors, at / "mode", how.mode, {"off", "optional", "required"});
  if (how.mode != "off" || !how.certificate_authority.empty()) {
    check_reference(errors, at / "certificate_authority", config.certificate_authorities, how.certificate_authority,
                    "certificate authority");
  }
  check_range(errors, at / "verify_depth", how.verify_depth, 0, 16);
}

void check_early_data(ErrorList& errors, const Pointer& at, const Listener& listener, const Config& config) {
  if (listener.protocol != "https") return errors.add(at, "must not be true unless protocol is \"https\"");
  if (listener.client_authentication && listener.client_authentication->mode != "off")
    errors.add(at, "must not be true with client_authentication: early data comes before a certificate could be asked for");
  if (const auto policy = tls_policy_of(listener, config); policy && policy.policy.max_version < l7::tls::TlsVersion::kTls13)
    errors.add(at, "must not be true without TLS 1.3, which tls_policy or tls_max_version leaves out");
}

void check_https_only(ErrorList& errors, const Pointer& at, const Listener& listener, bool given) {
  if (given && listener.protocol != "https") errors.add(at, "must not be there unless protocol is \"https\"");
}

void check_access(ErrorList& errors, const Pointer& at, const AccessControl& access, const Config& config) {
  check_one_of(errors, at / "type", access.type, {"allow", "deny"});
  const Pointer lists_at = at / "access_control_lists";
  check_count(errors, lists_at, access.access_control_lists.size(), 1, kMaxAcls);
  for (std::size_t i = 0; i < access.access_control_lists.size(); ++i) {
    check_reference(errors, lists_at / i, config.access_control_lists, access.access_control_lists[i],
                    "access control list");
  }
}

void check_forwarded_headers(ErrorList& errors, const Pointer& at, const std::vector<std::string>& headers) {
  check_count(errors, at, headers.size(), 0, kMaxAlternatives);
  for (std::size_t i = 0; i < headers.size(); ++i)
    check_one_of(errors, at / i, headers[i], {"for", "proto", "host", "port", "real_ip", "client_port"});
}

void check_traffic_limits(ErrorList& errors, const Pointer& at, const ListenerLimits& limits) {
  check_range(errors, at / "max_connections", limits.max_connections, 0, kMaxLimit);
  check_range(errors, at / "connections_per_second_per_source", limits.connections_per_second_per_source, 0,
              kMaxSourceRate);
  check_range(errors, at / "handshakes_per_second", limits.handshakes_per_second, 0, kMaxLimit);
}

void check_limits(ErrorList& errors, const Pointer& at, const Listener& listener) {
  check_range(errors, at / "max_line_bytes", listener.max_line_bytes, 256, 64 * 1024);
  check_range(errors, at / "max_header_bytes", listener.max_header_bytes, 1024, 256 * 1024);
  if (listener.max_header_bytes < listener.max_line_bytes) {
    errors.add(at / "max_header_bytes", "must not be below max_line_bytes: the line is part of the header");
  }
  check_range(errors, at / "max_header_fields", listener.max_header_fields, 1, l7::http::FieldList::kMax);
  check_range(errors, at / "header_timeout_ms", listener.header_timeout_ms, 1, kDayMs);
  check_range(errors, at / "body_timeout_ms", listener.body_timeout_ms, 1, kDayMs);
  check_range(errors, at / "idle_timeout_ms", listener.idle_timeout_ms, 1, kDayMs);
  check_range(errors, at / "tunnel_timeout_ms", listener.tunnel_timeout_ms, 1, 7 * kDayMs);
  check_range(errors, at / "max_requests_per_connection", listener.max_requests_per_connection, 1,
              1'000'000'000);
}

}  // namespace

void check_listener(ErrorList& errors, const Pointer& at, const Listener& listener, const Config& config) {
  check_reference(errors, at / "load_balancer", config.load_balancers, listener.load_balancer,
                  "load balancer");
  check_range(errors, at / "port", listener.port, 1, 65535);
  check_one_of(errors, at / "protocol", listener.protocol, {"http", "https", "tls_passthrough"});
  if (listener.protocol == "tls_passthrough" && listener.default_action) {
    check_passed_on(errors, at / "default_action", *listener.default_action);
  }
  check_one_of(errors, at / "rule_order", listener.rule_order, {"specific", "priority"});
  if (listener.default_action) check_action(errors, at / "default_action", *listener.default_action, config);
  check_tls(errors, at, listener, config);
  const Pointer clients_at = at / "client_authentication";
  check_https_only(errors, clients_at, listener, listener.client_authentication.has_value());
  if (listener.client_authentication)
    check_client_authentication(errors, clients_at, *listener.client_authentication, config);
  if (listener.early_data) check_early_data(errors, at / "early_data", listener, config);
  check_https_only(errors, at / "hsts", listener, listener.hsts.has_value());
  if (listener.access_control) check_access(errors, at / "access_control", *listener.access_control, config);
  check_forwarded_headers(errors, at / "forwarded_headers", listener.forwarded_headers);
  check_limits(errors, at, listener);
  check_traffic_limits(errors, at / "limits", listener.limits);
}

}  // namespace sluice::mgmt::config::detail
