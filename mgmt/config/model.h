// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// The desired state as plain values. REST, the store and later the ingress controller all speak this; validate()
/// judges it, compile() turns it into a snapshot. Durations are milliseconds, as in the JSON ("..._ms"). Every resource
/// has an `id` of its own choosing or a generated one ([A-Za-z0-9._-], 1 to 128 characters), unique within its kind.
/// JSON names are the member names. `managed_by` is an ownership mark: a program's name, whose objects others do not edit by
/// accident (mgmt/rest/manager.h).
namespace sluice::mgmt::config {

struct AddressPool {
  std::string id;
  std::string scheme;               ///< "internet" or "internal"
  std::vector<std::string> ranges;  ///< "192.0.2.10-192.0.2.20", "192.0.2.0/28", "2001:db8::10"
  std::string managed_by;
  friend bool operator==(const AddressPool&, const AddressPool&) = default;
};

/// What all listeners of a load balancer take together; 0: what its performance class says, or as much as comes.
struct BalancerLimits {
  std::uint32_t max_connections = 0, connections_per_second = 0, requests_per_second = 0;
  friend bool operator==(const BalancerLimits&, const BalancerLimits&) = default;
};

struct LoadBalancer {
  std::string id;
  std::string name;
  std::string scheme = "internet";
  std::vector<std::string> addresses;  ///< VIPs. Empty: taken from a pool of the scheme and kept.
  std::string address_pool;            ///< id: from this one only. Empty: from any of the scheme.
  std::string ip_version = "any";      ///< What is taken: one address ("any", "ipv4", "ipv6"), or one of each ("dual").
  std::string performance_class;       ///< "slb.s1.small" and so on: limits by name; see performance_class.h
  BalancerLimits limits;
  std::string managed_by;
  friend bool operator==(const LoadBalancer&, const LoadBalancer&) = default;
};

/// Networks that a listener is open to only, or closed to.
struct AccessControlList {
  std::string id;
  std::string name;
  std::vector<std::string> entries;  ///< "192.0.2.0/24", "2001:db8::/32", "10.0.0.1", "10.0.0.1-10.0.0.9"
  std::string managed_by;
  friend bool operator==(const AccessControlList&, const AccessControlList&) = default;
};

struct WeightedGroupRef {
  std::string server_group;
  std::uint32_t weight = 100;
  friend bool operator==(const WeightedGroupRef&, const WeightedGroupRef&) = default;
};
struct ForwardAction {
  std::vector<WeightedGroupRef> server_groups;
  friend bool operator==(const ForwardAction&, const ForwardAction&) = default;
};
struct RedirectAction {
  std::uint32_t status = 301;
  std::string scheme, host, path, query;
  std::uint32_t port = 0;
  friend bool operator==(const RedirectAction&, const RedirectAction&) = default;
};
struct FixedResponseAction {
  std::uint32_t status = 200;
  std::string content_type = "text/plain";
  std::string body;
  friend bool operator==(const FixedResponseAction&, const FixedResponseAction&) = default;
};
/// JSON: {"type": "forward", "server_groups": [...]}, {"type": "redirect", ...}, {"type": "fixed_response", ...}
using Action = std::variant<ForwardAction, RedirectAction, FixedResponseAction>;

/// A certificate of a listener, and the server names that it is presented to. JSON also takes the id as a plain string.
struct CertificateRef {
  std::string certificate;  ///< id
  /// "shop.example", "*.shop.example". None: the certificate's own names. An empty list: only as the default.
  std::optional<std::vector<std::string>> hosts;
  CertificateRef() = default;
  CertificateRef(std::string id) : certificate(std::move(id)) {}  // NOLINT: a plain id is one
  CertificateRef(const char* id) : certificate(id) {}             // NOLINT
  CertificateRef(std::string id, std::vector<std::string> names)
      : certificate(std::move(id)), hosts(std::move(names)) {}
  friend bool operator==(const CertificateRef&, const CertificateRef&) = default;
};

/// Who may connect, judged by the source address when a connection begins.
struct AccessControl {
  std::string type = "allow";  ///< "allow": sources in the lists only; "deny": all but those.
  std::vector<std::string> access_control_lists;  ///< ids; their entries count together.
  friend bool operator==(const AccessControl&, const AccessControl&) = default;
};

/// Whether clients of a listener show certificates, and whose are taken.
struct ClientAuthentication {
  std::string mode = "required";      ///< "off", "optional", "required"
  std::string certificate_authority;  ///< id
  std::uint32_t verify_depth = 1;     ///< Intermediate certificates between the client's and a certificate of the authority.
  bool pass_certificate = false;      ///< Backends get all of it, not its names alone.
  friend bool operator==(const ClientAuthentication&, const ClientAuthentication&) = default;
};

/// Strict-Transport-Security in all answers (RFC 6797).
struct Hsts {
  std::uint32_t max_age_s = 31536000;
  bool include_subdomains = false, preload = false;
  friend bool operator==(const Hsts&, const Hsts&) = default;
};

/// What one listener takes; 0: as much as comes.
struct ListenerLimits {
  std::uint32_t max_connections = 0;
  std::uint32_t connections_per_second_per_source = 0;  ///< An IPv4 address, or an IPv6 /64.
  std::uint32_t handshakes_per_second = 0;              ///< Without effect unless "https".
  friend bool operator==(const ListenerLimits&, const ListenerLimits&) = default;
};

struct Listener {
  std::string id;
  std::string load_balancer;            ///< id
  std::uint32_t port = 80;
  std::string protocol = "http";        ///< "http", "https", "tls_passthrough"
  std::vector<CertificateRef> certificates;  ///< The first is the default. Empty with https: the generated one.
  std::string tls_policy = "default";             ///< A name of l7/tls/policy.h, or the id of a TlsPolicy
  std::string tls_min_version, tls_max_version;   ///< "1.2": narrows the policy; empty: its own
  std::optional<ClientAuthentication> client_authentication;  ///< None: off. "https" only.
  bool early_data = false;  ///< Safe requests in TLS 1.3 early data (0-RTT). "https" only, and without client certificates.
  std::optional<Hsts> hsts;                                   ///< None: not sent. "https" only.
  std::optional<AccessControl> access_control;  ///< None: everybody.
  std::string rule_order = "specific";  ///< "specific" or "priority"; see route::Order
  std::optional<Action> default_action; ///< None: 404
  std::uint32_t max_line_bytes = 8192, max_header_bytes = 32768, max_header_fields = 100;
  std::uint64_t max_body_bytes = 0;
  std::uint32_t header_timeout_ms = 60000, body_timeout_ms = 60000, idle_timeout_ms = 15000,
                tunnel_timeout_ms = 3600000;
  std::uint32_t max_requests_per_connection = 10000;
  ListenerLimits limits;
  bool trust_forwarded_headers = false;
  /// Which of X-Forwarded-For, -Proto, -Host, -Port, X-Real-IP and X-Forwarded-Client-Srcport backends get.
  std::vector<std::string> forwarded_headers = {"for", "proto", "host", "port", "real_ip"};  ///< and "client_port"
  bool access_log = true;
  std::string managed_by;
  friend bool operator==(const Listener&, const Listener&) = default;
};

struct PathMatch {
  std::string type = "prefix";  ///< "exact", "prefix", "string_prefix", "regex"
  std::string value = "/";
  bool ignore_case = false;     ///< regex only
  friend bool operator==(const PathMatch&, const PathMatch&) = default;
};
struct HostMatch {
  std::string value;                 ///< "shop.example", "*.shop.example"
  std::string wildcard = "one";      ///< "one" label or "many"; only for "*."
  friend bool operator==(const HostMatch&, const HostMatch&) = default;
};
struct ValueMatch {
  std::string type;                 ///< "header", "query", "cookie", "method", "source"
  std::string name;                 ///< header, query key, cookie
  std::vector<std::string> values;  ///< alternatives; CIDRs for "source"
  friend bool operator==(const ValueMatch&, const ValueMatch&) = default;
};
struct Rule {
  std::string id;
  std::string listener;  ///< id
  std::uint32_t priority = 1000;
  std::vector<HostMatch> hosts;  ///< JSON also takes plain strings
  std::vector<PathMatch> paths;
  std::vector<ValueMatch> conditions;
  Action action;
  std::string managed_by;
  friend bool operator==(const Rule&, const Rule&) = default;
};

struct Member {
  std::string id;       ///< Default: "address:port"
  std::string address;
  std::uint32_t port = 0;
  std::uint32_t weight = 100;
  bool drain = false;   ///< No new requests; what runs ends.
  friend bool operator==(const Member&, const Member&) = default;
};
struct HealthCheck {
  std::string type = "none";  ///< "none", "tcp", "http"
  std::uint32_t interval_ms = 2000, timeout_ms = 5000, healthy_threshold = 3, unhealthy_threshold = 3;
  std::uint32_t port = 0;
  std::string method = "HEAD", path = "/", host;
  std::vector<std::string> statuses = {"200-399"};
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};
/// Leads a client back to the member that served it before, as long as that may serve.
struct Stickiness {
  std::string type = "none";    ///< "none"; "insert": by a cookie of ours; "rewrite": by a mark in the members' cookie.
  std::string cookie;           ///< Name. "insert": empty is one made from the group's id.
  std::uint32_t max_age_s = 0;  ///< "insert"; 0: until the browser ends.
  friend bool operator==(const Stickiness&, const Stickiness&) = default;
};
/// How connections to the members are protected, and whom they trust. Of a group with protocol "https".
struct BackendTls {
  bool verify = true;                 ///< Authority, time and name of a member's certificate.
  std::string certificate_authority;  ///< id. Empty: those of the appliance's system.
  std::uint32_t verify_depth = 4;     ///< Intermediate certificates between a member's and a certificate of the authority.
  std::string server_name;            ///< Sent as SNI and verified. Empty: none is sent, and the member's address is verified.
  std::string certificate;            ///< id, shown to a member that asks for one. Empty: none.
  std::string policy = "default";     ///< As a listener's tls_policy,
  std::string min_version, max_version;  ///< tls_min_version and tls_max_version.
  friend bool operator==(const BackendTls&, const BackendTls&) = default;
};
struct ServerGroup {
  std::string id;
  std::string name;
  std::string protocol = "http";   ///< Spoken to the members: "http" or "https"
  std::optional<BackendTls> tls;   ///< None with "https": BackendTls().
  std::string scheduler = "weighted_round_robin";  ///< or "least_connections"
  std::vector<Member> members;
  HealthCheck health_check;
  Stickiness stickiness;
  std::uint32_t connect_timeout_ms = 5000, request_timeout_ms = 60000, keep_alive_ms = 60000;
  std::uint32_t max_idle_per_worker = 320, connect_attempts = 3;
  std::string managed_by;
  friend bool operator==(const ServerGroup&, const ServerGroup&) = default;
};

struct Certificate {
  std::string id;
  std::string certificate;  ///< PEM chain, leaf first
  std::string private_key;  ///< PEM; written, stored, never shown again
  bool ocsp_stapling = true;  ///< Where it names a responder and its chain has the issuer.
  std::string managed_by;
  friend bool operator==(const Certificate&, const Certificate&) = default;
};

/// Whose signature under a client's certificate is believed.
struct CertificateAuthority {
  std::string id;
  std::string name;
  std::string certificates;      ///< PEM, one or more.
  std::string revocation_lists;  ///< PEM CRLs; empty: none.
  std::string managed_by;
  friend bool operator==(const CertificateAuthority&, const CertificateAuthority&) = default;
};

/// What a listener's TLS offers, by names of OpenSSL's, in the order of preference. Empty lists: those of the built-in "default".
struct TlsPolicy {
  std::string id;  ///< Not that of a built-in one (l7/tls/policy.h).
  std::string min_version = "1.2", max_version = "1.3";
  std::vector<std::string> cipher_suites_tls12;   ///< "ECDHE-RSA-AES128-GCM-SHA256"
  std::vector<std::string> cipher_suites_tls13;   ///< "TLS_AES_128_GCM_SHA256"
  std::vector<std::string> groups;                ///< "X25519", "P-256"
  std::vector<std::string> signature_algorithms;  ///< "ECDSA+SHA256", "rsa_pss_rsae_sha256"; empty: all that are strong enough.
  std::string managed_by;
  friend bool operator==(const TlsPolicy&, const TlsPolicy&) = default;
};

/// Everything, by id. Order of a map, so that two equal states are equal text.
struct Config {
  std::map<std::string, AddressPool> address_pools;
  std::map<std::string, AccessControlList> access_control_lists;
  std::map<std::string, LoadBalancer> load_balancers;
  std::map<std::string, Listener> listeners;
  std::map<std::string, Rule> rules;
  std::map<std::string, ServerGroup> server_groups;
  std::map<std::string, Certificate> certificates;
  std::map<std::string, CertificateAuthority> certificate_authorities;
  std::map<std::string, TlsPolicy> tls_policies;
  friend bool operator==(const Config&, const Config&) = default;
};

/// One wrong field: JSON pointer into the document that was sent (RFC 6901), and what was expected.
struct FieldError {
  std::string path;     ///< "/listeners/web/port"
  std::string message;  ///< "must be between 1 and 65535"
  friend bool operator==(const FieldError&, const FieldError&) = default;
};

}  // namespace sluice::mgmt::config
