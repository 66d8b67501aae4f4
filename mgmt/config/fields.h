// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <type_traits>

#include "mgmt/config/model.h"

/// The members of each resource, once, in the order in which people read them. The JSON reader and writer are
/// visitors over these lists: `v.required(name, member)`, `v.optional(name, member)`, `v.secret(name,
/// member)`.
namespace sluice::mgmt::config::detail {

/// T or const T, so that one list serves reading and writing.
template <class X, class T>
concept Of = std::same_as<std::remove_const_t<X>, T>;

template <class V, Of<AddressPool> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.required("scheme", x.scheme);
  v.required("ranges", x.ranges);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<BalancerLimits> X>
void fields(V& v, X& x) {
  v.optional("max_connections", x.max_connections);
  v.optional("connections_per_second", x.connections_per_second);
  v.optional("requests_per_second", x.requests_per_second);
}

template <class V, Of<LoadBalancer> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.optional("name", x.name);
  v.optional("scheme", x.scheme);
  v.optional("addresses", x.addresses);
  v.optional("address_pool", x.address_pool);
  v.optional("ip_version", x.ip_version);
  v.optional("performance_class", x.performance_class);
  v.optional("limits", x.limits);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<AccessControlList> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.optional("name", x.name);
  v.optional("entries", x.entries);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<WeightedGroupRef> X>
void fields(V& v, X& x) {
  v.required("server_group", x.server_group);
  v.optional("weight", x.weight);
}

template <class V, Of<ForwardAction> X>
void fields(V& v, X& x) {
  v.required("server_groups", x.server_groups);
}

template <class V, Of<RedirectAction> X>
void fields(V& v, X& x) {
  v.optional("status", x.status);
  v.optional("scheme", x.scheme);
  v.optional("host", x.host);
  v.optional("port", x.port);
  v.optional("path", x.path);
  v.optional("query", x.query);
}

template <class V, Of<FixedResponseAction> X>
void fields(V& v, X& x) {
  v.optional("status", x.status);
  v.optional("content_type", x.content_type);
  v.optional("body", x.body);
}

template <class V, Of<CertificateRef> X>
void fields(V& v, X& x) {
  v.required("certificate", x.certificate);
  v.optional("hosts", x.hosts);
}

template <class V, Of<AccessControl> X>
void fields(V& v, X& x) {
  v.optional("type", x.type);
  v.required("access_control_lists", x.access_control_lists);
}

template <class V, Of<ClientAuthentication> X>
void fields(V& v, X& x) {
  v.optional("mode", x.mode);
  v.optional("certificate_authority", x.certificate_authority);
  v.optional("verify_depth", x.verify_depth);
  v.optional("pass_certificate", x.pass_certificate);
}

template <class V, Of<Hsts> X>
void fields(V& v, X& x) {
  v.optional("max_age_s", x.max_age_s);
  v.optional("include_subdomains", x.include_subdomains);
  v.optional("preload", x.preload);
}

template <class V, Of<ListenerLimits> X>
void fields(V& v, X& x) {
  v.optional("max_connections", x.max_connections);
  v.optional("connections_per_second_per_source", x.connections_per_second_per_source);
  v.optional("handshakes_per_second", x.handshakes_per_second);
}

template <class V, Of<Listener> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.required("load_balancer", x.load_balancer);
  v.optional("port", x.port);
  v.optional("protocol", x.protocol);
  v.optional("certificates", x.certificates);
  v.optional("tls_policy", x.tls_policy);
  v.optional("tls_min_version", x.tls_min_version);
  v.optional("tls_max_version", x.tls_max_version);
  v.optional("client_authentication", x.client_authentication);
  v.optional("early_data", x.early_data);
  v.optional("hsts", x.hsts);
  v.optional("access_control", x.access_control);
  v.optional("rule_order", x.rule_order);
  v.optional("default_action", x.default_action);
  v.optional("max_line_bytes", x.max_line_bytes);
  v.optional("max_header_bytes", x.max_header_bytes);
  v.optional("max_header_fields", x.max_header_fields);
  v.optional("max_body_bytes", x.max_body_bytes);
  v.optional("header_timeout_ms", x.header_timeout_ms);
  v.optional("body_timeout_ms", x.body_timeout_ms);
  v.optional("idle_timeout_ms", x.idle_timeout_ms);
  v.optional("tunnel_timeout_ms", x.tunnel_timeout_ms);
  v.optional("max_requests_per_connection", x.max_requests_per_connection);
  v.optional("limits", x.limits);
  v.optional("trust_forwarded_headers", x.trust_forwarded_headers);
  v.optional("forwarded_headers", x.forwarded_headers);
  v.optional("access_log", x.access_log);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<PathMatch> X>
void fields(V& v, X& x) {
  v.optional("type", x.type);
  v.required("value", x.value);
  v.optional("ignore_case", x.ignore_case);
}

template <class V, Of<HostMatch> X>
void fields(V& v, X& x) {
  v.required("value", x.value);
  v.optional("wildcard", x.wildcard);
}

template <class V, Of<ValueMatch> X>
void fields(V& v, X& x) {
  v.required("type", x.type);
  v.optional("name", x.name);
  v.optional("values", x.values);
}

template <class V, Of<Rule> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.required("listener", x.listener);
  v.optional("priority", x.priority);
  v.optional("hosts", x.hosts);
  v.optional("paths", x.paths);
  v.optional("conditions", x.conditions);
  v.required("action", x.action);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<Member> X>
void fields(V& v, X& x) {
  v.optional("id", x.id);
  v.required("address", x.address);
  v.required("port", x.port);
  v.optional("weight", x.weight);
  v.optional("drain", x.drain);
}

template <class V, Of<HealthCheck> X>
void fields(V& v, X& x) {
  v.optional("type", x.type);
  v.optional("interval_ms", x.interval_ms);
  v.optional("timeout_ms", x.timeout_ms);
  v.optional("healthy_threshold", x.healthy_threshold);
  v.optional("unhealthy_threshold", x.unhealthy_threshold);
  v.optional("port", x.port);
  v.optional("method", x.method);
  v.optional("path", x.path);
  v.optional("host", x.host);
  v.optional("statuses", x.statuses);
}

template <class V, Of<Stickiness> X>
void fields(V& v, X& x) {
  v.optional("type", x.type);
  v.optional("cookie", x.cookie);
  v.optional("max_age_s", x.max_age_s);
}

template <class V, Of<BackendTls> X>
void fields(V& v, X& x) {
  v.optional("verify", x.verify);
  v.optional("certificate_authority", x.certificate_authority);
  v.optional("verify_depth", x.verify_depth);
  v.optional("server_name", x.server_name);
  v.optional("certificate", x.certificate);
  v.optional("policy", x.policy);
  v.optional("min_version", x.min_version);
  v.optional("max_version", x.max_version);
}

template <class V, Of<ServerGroup> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.optional("name", x.name);
  v.optional("protocol", x.protocol);
  v.optional("tls", x.tls);
  v.optional("scheduler", x.scheduler);
  v.optional("members", x.members);
  v.optional("health_check", x.health_check);
  v.optional("stickiness", x.stickiness);
  v.optional("connect_timeout_ms", x.connect_timeout_ms);
  v.optional("request_timeout_ms", x.request_timeout_ms);
  v.optional("keep_alive_ms", x.keep_alive_ms);
  v.optional("max_idle_per_worker", x.max_idle_per_worker);
  v.optional("connect_attempts", x.connect_attempts);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<Certificate> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.required("certificate", x.certificate);
  v.secret("private_key", x.private_key);
  v.optional("ocsp_stapling", x.ocsp_stapling);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<CertificateAuthority> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.optional("name", x.name);
  v.required("certificates", x.certificates);
  v.optional("revocation_lists", x.revocation_lists);
  v.optional("managed_by", x.managed_by);
}

template <class V, Of<TlsPolicy> X>
void fields(V& v, X& x) {
  v.required("id", x.id);
  v.optional("min_version", x.min_version);
  v.optional("max_version", x.max_version);
  v.optional("cipher_suites_tls12", x.cipher_suites_tls12);
  v.optional("cipher_suites_tls13", x.cipher_suites_tls13);
  v.optional("groups", x.groups);
  v.optional("signature_algorithms", x.signature_algorithms);
  v.optional("managed_by", x.managed_by);
}

/// The "type" member of each action, in the order of the variant.
inline constexpr const char* kActionTypes[] = {"forward", "redirect", "fixed_response"};
static_assert(std::size(kActionTypes) == std::variant_size_v<Action>);

}  // namespace sluice::mgmt::config::detail
