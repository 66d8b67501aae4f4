// SPDX-License-Identifier: Apache-2.0
// service.beta.kubernetes.io/alibaba-cloud-loadbalancer-*, and the older alicloud spelling of the same keys.
#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "l7/tls/policy.h"
#include "mgmt/config/bounds.h"
#include "mgmt/config/names.h"
#include "mgmt/config/performance_class.h"
#include "mgmt/ingress/model/ingress_settings.h"

namespace sluice::mgmt::ingress {
namespace {

constexpr std::string_view kNew = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
constexpr std::string_view kOld = "service.beta.kubernetes.io/alicloud-loadbalancer-";

/// What several keys say together is put together when all have been read.
struct Reading : IngressSettings {
  std::optional<bool> acl, sticky;
  std::string acl_type = "allow";  // In doubt closed.
  std::vector<std::string> acl_ids;
  bool sticky_by_server = false;
  std::string cookie;
  std::uint32_t cookie_timeout = 0;
  std::optional<bool> drain;
  std::optional<std::uint32_t> drain_timeout;
};

/// Takes a value over; false: it is none that the key may have.
using Apply = std::function<bool(const std::string& value, Reading& s)>;

std::optional<std::uint32_t> number(const std::string& text, std::uint32_t low, std::uint32_t high) {
  std::uint32_t out = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (ec != std::errc{} || end != text.data() + text.size() || out < low || out > high) return std::nullopt;
  return out;
}

Apply flag(bool IngressSettings::*member) {
  return [member](const std::string& v, IngressSettings& s) {
    if (v != "true" && v != "false") return false;
    s.*member = v == "true";
    return true;
  };
}

Apply on_off(std::optional<bool> Reading::*member) {
  return [member](const std::string& v, Reading& s) {
    s.*member = v == "on";
    return v == "on" || v == "off";
  };
}

/// "a,b"
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

bool acl_ids(const std::string& v, Reading& s) {
  s.acl_ids = split(v);
  return s.acl_ids.size() <= config::kMaxAcls && std::all_of(s.acl_ids.begin(), s.acl_ids.end(), config::is_id);
}

bool acl_type(const std::string& v, Reading& s) {
  s.acl_type = v == "white" ? "allow" : "deny";
  return v == "white" || v == "black";
}

bool sticky_type(const std::string& v, Reading& s) {
  s.sticky_by_server = v == "server";
  return v == "insert" || v == "server";
}

bool cookie_timeout(const std::string& v, Reading& s) {
  const auto n = number(v, 1, 86400);
  s.cookie_timeout = n.value_or(0);
  return n.has_value();
}

/// Whether backends get a field that tells them about the client.
Apply forwarded(const char* field) {
  return [field](const std::string& v, Reading& s) {
    auto& fields = s.listener.forwarded_headers;
    std::erase(fields, field);
    if (v == "on") fields.emplace_back(field);
    return v == "on" || v == "off";
  };
}

bool drain_timeout(const std::string& v, Reading& s) {
  s.drain_timeout = number(v, 10, 900);
  return s.drain_timeout.has_value();
}

bool ip_version(const std::string& v, Reading& s) {
  s.load_balancer.ip_version = v;
  return v == "ipv4" || v == "ipv6" || v == "dual";
}

/// A number of the health check, times `factor`.
Apply health_number(std::uint32_t config::HealthCheck::*member, std::uint32_t low, std::uint32_t high,
                    std::uint32_t factor = 1) {
  return [=](const std::string& v, IngressSettings& s) {
    const auto n = number(v, low, high);
    if (n) s.server_group.health_check.*member = *n * factor;
    return n.has_value();
  };
}

bool health_flag(const std::string& v, IngressSettings& s) {
  auto& type = s.server_group.health_check.type;
  if (v == "off") type = "none";
  if (v == "on" && type == "none")
    type = "http";  // health-check-type, which comes later by name, may say tcp
  return v == "on" || v == "off";
}

bool health_type(const std::string& v, IngressSettings& s) {
  if (v != "tcp" && v != "http") return false;
  if (s.server_group.health_check.type != "none") s.server_group.health_check.type = v;
  return true;
}

/// "http_2xx,http_3xx"
bool health_statuses(const std::string& v, IngressSettings& s) {
  std::vector<std::string> out;
  for (const std::string& one : split(v)) {
    if (one.size() != 8 || !one.starts_with("http_") || one[5] < '2' || one[5] > '5' || !one.ends_with("xx"))
      return false;
    out.push_back(std::string(1, one[5]) + "00-" + one[5] + "99");
  }
  s.server_group.health_check.statuses = out;
  return true;
}

bool performance_class(const std::string& v, IngressSettings& s) {
  s.load_balancer.performance_class = v;
  return config::find_performance_class(v) != nullptr;
}

bool scheduler(const std::string& v, IngressSettings& s) {
  if (v != "rr" && v != "wrr" && v != "wlc") return false;
  s.server_group.scheduler = v == "wlc" ? "least_connections" : "weighted_round_robin";
  return true;
}

bool tls_policy(const std::string& v, IngressSettings& s) {
  s.listener.tls_policy = v;  // whether it is built-in or the appliances', translate() sees
  return config::is_id(v);
}

bool backend_family(const std::string& v, IngressSettings& s) {
  s.backend_family = v == "ipv4" ? "IPv4" : v == "ipv6" ? "IPv6" : v == "dual" ? "dual" : "";
  return !s.backend_family.empty();
}

bool address_type(const std::string& v, IngressSettings& s) {
  if (v != "internet" && v != "intranet") return false;
  s.load_balancer.scheme = v == "internet" ? "internet" : "internal";
  return true;
}

bool connect_port(const std::string& v, IngressSettings& s) {
  const auto n = v == "-520" ? std::optional(0u) : number(v, 1, 65535);  // -520: the backend's own
  if (n) s.server_group.health_check.port = *n;
  return n.has_value();
}

const std::unordered_map<std::string_view, Apply>& keys() {
  using Check = config::HealthCheck;
  static const std::unordered_map<std::string_view, Apply> kKeys = {
      {"id", [](const std::string& v, IngressSettings& s) { return s.load_balancer_id = v, !v.empty(); }},
      {"name",
       [](const std::string& v, IngressSettings& s) {
         return s.load_balancer.name = v, v.size() <= 80 && !config::has_control_characters(v);
       }},
      {"address-type", address_type},
      {"force-override-listeners", flag(&IngressSettings::force_override)},
      {"preserve-lb-on-delete", flag(&IngressSettings::preserve_on_delete)},
      // The ownership mark protects what we make from others' hands anyway.
      {"delete-protection", [](const std::string& v, IngressSettings&) { return v == "on" || v == "off"; }},
      {"tls-cipher-policy", tls_policy},
      {"spec", performance_class},
      {"ip-version", ip_version},
      {"acl-status", on_off(&Reading::acl)},
      {"acl-id", acl_ids},
      {"acl-type", acl_type},
      {"sticky-session", on_off(&Reading::sticky)},
      {"sticky-session-type", sticky_type},
      {"cookie-timeout", cookie_timeout},
      {"cookie",
       [](const std::string& v, Reading& s) { return s.cookie = v, v.size() <= 64 && config::is_token(v); }},
      {"xforwardedfor-proto", forwarded("proto")},
      {"xforwardedfor-slbport", forwarded("port")},
      {"xforwardedfor-clientsrcport", forwarded("client_port")},
      {"connection-drain", on_off(&Reading::drain)},
      {"connection-drain-timeout", drain_timeout},
      {"idle-timeout",
       [](const std::string& v, IngressSettings& s) {
         const auto n = number(v, 1, 60);
         if (n) s.listener.idle_timeout_ms = *n * 1000;
         return n.has_value();
       }},
      {"request-timeout",
       [](const std::string& v, IngressSettings& s) {
         const auto n = number(v, 1, 180);
         if (n) s.server_group.request_timeout_ms = *n * 1000;
         return n.has_value();
       }},
      {"scheduler", scheduler},
      {"backend-ip-version", backend_family},
      {"health-check-flag", health_flag},
      {"health-check-type", health_type},
      {"health-check-uri",
       [](const std::string& v, IngressSettings& s) {
         s.server_group.health_check.path = v;
         return v.size() <= 80 && v.starts_with('/') && config::is_visible_ascii(v) && v.find('#') == v.npos;
       }},
      {"health-check-domain",
       [](const std::string& v, IngressSettings& s) {
         s.server_group.health_check.host = v == "$_ip" ? "" : v;
         return v == "$_ip" || (v.size() <= 80 && config::is_host_name(v));
       }},
      {"health-check-method",
       [](const std::string& v, IngressSettings& s) {
         if (v != "head" && v != "get" && v != "HEAD" && v != "GET") return false;
         s.server_group.health_check.method = v == "get" || v == "GET" ? "GET" : "HEAD";
         return true;
       }},
      {"health-check-httpcode", health_statuses},
      {"health-check-connect-port", connect_port},
      {"health-check-interval", health_number(&Check::interval_ms, 1, 50, 1000)},
      {"health-check-timeout", health_number(&Check::timeout_ms, 1, 300, 1000)},
      {"health-check-connect-timeout", health_number(&Check::timeout_ms, 1, 300, 1000)},
      {"healthy-threshold", health_number(&Check::healthy_threshold, 2, 10)},
      {"unhealthy-threshold", health_number(&Check::unhealthy_threshold, 2, 10)},
  };
  return kKeys;
}

/// Keys that mean something in the cloud, or that the appliance does not have yet.
constexpr std::string_view kWithoutMeaning[] = {
    "resource-group-id", "additional-resource-tags", "network-type", "vswitch-id", "master-zoneid",
    "slave-zoneid", "ip", "instance-charge-type", "charge-type", "bandwidth",
    "modification-protection", "external-ip-type", "hostname", "protocol-port", "cert-id", "http2-enabled",
    "domain-extensions", "forward-port", "persistence-timeout", "established-timeout", "proxy-protocol",
    "health-check-switch", "weight", "backend-label"};

void apply_spelling(const Meta& meta, std::string_view prefix, Reading& settings, Notices& notices) {
  for (auto it = meta.annotations.lower_bound(std::string(prefix));
       it != meta.annotations.end() && it->first.starts_with(prefix); ++it) {
    const std::string_view key = std::string_view(it->first).substr(prefix.size());
    // The new spelling is looked up first.
    if (prefix == kOld && meta.annotations.contains(std::string(kNew) + std::string(key))) continue;
    const auto found = keys().find(key);
    if (found == keys().end()) {
      const bool known =
          std::find(std::begin(kWithoutMeaning), std::end(kWithoutMeaning), key) != std::end(kWithoutMeaning);
      notices.warn(meta.key, known ? "AnnotationWithoutEffect" : "UnknownAnnotation",
                   it->first + (known ? " has no effect on this appliance." : " is unknown."));
      continue;
    }
    Reading changed = settings;
    if (found->second(it->second, changed)) {
      settings = std::move(changed);
    } else {
      notices.warn(
          meta.key, "InvalidAnnotation",
          it->first + ": \"" + it->second.substr(0, 80) + "\" is no value that it may have; it is ignored.");
    }
  }
}

void put_together_access(const Meta& meta, Reading& s, Notices& notices) {
  if (!s.acl.value_or(false)) return;
  if (s.listener.access_control) {
    // Who writes an Ingress must not open what the class closes.
    notices.warn(meta.key, "InvalidAnnotation", "acl-status: the access control of the class stands.");
  } else if (s.acl_ids.empty()) {
    // A list that nobody has: the Ingress is left out rather than open.
    notices.warn(meta.key, "InvalidAnnotation", "acl-status is on, and acl-id names no list.");
    s.listener.access_control = config::AccessControl{s.acl_type, {""}};
  } else {
    s.listener.access_control = config::AccessControl{s.acl_type, s.acl_ids};
  }
}

void put_together_stickiness(const Meta& meta, Reading& s, Notices& notices) {
  if (!s.sticky) return;
  config::Stickiness& out = s.server_group.stickiness;
  out = {};
  if (!*s.sticky) return;
  if (s.sticky_by_server && s.cookie.empty()) {
    notices.warn(meta.key, "InvalidAnnotation",
                 "sticky-session-type is server, and cookie does not name the backend's; sessions are not sticky.");
  } else {
    out = s.sticky_by_server ? config::Stickiness{"rewrite", s.cookie, 0}
                             : config::Stickiness{"insert", "", s.cookie_timeout};
  }
}

/// on: for the controller's time, unless the timeout says more.
void put_together_drain(Reading& s) {
  if (!s.drain.value_or(true)) {
    s.drain_s = 0;
  } else if (s.drain_timeout) {
    s.drain_s = s.drain_timeout;
  }
}

}  // namespace

void apply_alibaba_annotations(const Meta& meta, IngressSettings& settings, Notices& notices) {
  Reading reading;
  static_cast<IngressSettings&>(reading) = std::move(settings);
  apply_spelling(meta, kOld, reading, notices);
  apply_spelling(meta, kNew, reading, notices);
  put_together_access(meta, reading, notices);
  put_together_stickiness(meta, reading, notices);
  put_together_drain(reading);
  settings = std::move(reading);
}

}  // namespace sluice::mgmt::ingress
