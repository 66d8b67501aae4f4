// SPDX-License-Identifier: Apache-2.0
// service.beta.kubernetes.io/alibaba-cloud-loadbalancer-*, and the older alicloud spelling of the same keys.
#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "mgmt/config/names.h"
#include "mgmt/ingress/model/ingress_settings.h"

namespace sluice::mgmt::ingress {
namespace {

constexpr std::string_view kNew = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-";
constexpr std::string_view kOld = "service.beta.kubernetes.io/alicloud-loadbalancer-";

/// Takes a value over; false: it is none that the key may have.
using Apply = std::function<bool(const std::string& value, IngressSettings& s)>;

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
  for (std::size_t at = 0; at <= v.size();) {
    const std::size_t comma = std::min(v.find(',', at), v.size());
    const std::string one = v.substr(at, comma - at);
    if (one.size() != 8 || !one.starts_with("http_") || one[5] < '2' || one[5] > '5' || !one.ends_with("xx"))
      return false;
    out.push_back(std::string(1, one[5]) + "00-" + one[5] + "99");
    at = comma + 1;
  }
  s.server_group.health_check.statuses = out;
  return true;
}

bool scheduler(const std::string& v, IngressSettings& s) {
  if (v != "rr" && v != "wrr" && v != "wlc") return false;
  s.server_group.scheduler = v == "wlc" ? "least_connections" : "weighted_round_robin";
  return true;
}

bool tls_policy(const std::string& v, IngressSettings& s) {
  static const std::unordered_map<std::string, std::pair<const char*, const char*>> kVersions = {
      // Versions below 1.2 are not spoken.
      {"tls_cipher_policy_1_0", {"1.2", "1.2"}},
      {"tls_cipher_policy_1_1", {"1.2", "1.2"}},
      {"tls_cipher_policy_1_2", {"1.2", "1.2"}},
      {"tls_cipher_policy_1_2_strict", {"1.2", "1.2"}},
      {"tls_cipher_policy_1_2_strict_with_1_3", {"1.2", "1.3"}}};
  const auto found = kVersions.find(v);
  if (found == kVersions.end()) return false;
  s.listener.tls_min_version = found->second.first;
  s.listener.tls_max_version = found->second.second;
  return true;
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
constexpr std::array<std::string_view, 38> kWithoutMeaning = {"resource-group-id",
                                                              "additional-resource-tags",
                                                              "network-type",
                                                              "vswitch-id",
                                                              "master-zoneid",
                                                              "slave-zoneid",
                                                              "ip",
                                                              "spec",
                                                              "instance-charge-type",
                                                              "charge-type",
                                                              "bandwidth",
                                                              "ip-version",
                                                              "modification-protection",
                                                              "external-ip-type",
                                                              "hostname",
                                                              "protocol-port",
                                                              "cert-id",
                                                              "http2-enabled",
                                                              "domain-extensions",
                                                              "forward-port",
                                                              "sticky-session",
                                                              "sticky-session-type",
                                                              "cookie-timeout",
                                                              "cookie",
                                                              "persistence-timeout",
                                                              "established-timeout",
                                                              "acl-status",
                                                              "acl-id",
                                                              "acl-type",
                                                              "connection-drain",
                                                              "connection-drain-timeout",
                                                              "proxy-protocol",
                                                              "xforwardedfor-proto",
                                                              "xforwardedfor-slbport",
                                                              "xforwardedfor-clientsrcport",
                                                              "health-check-switch",
                                                              "weight",
                                                              "backend-label"};

void apply_spelling(const Meta& meta, std::string_view prefix, IngressSettings& settings, Notices& notices) {
  for (auto it = meta.annotations.lower_bound(std::string(prefix));
       it != meta.annotations.end() && it->first.starts_with(prefix); ++it) {
    const std::string_view key = std::string_view(it->first).substr(prefix.size());
    // The new spelling is looked up first.
    if (prefix == kOld && meta.annotations.contains(std::string(kNew) + std::string(key))) continue;
    const auto found = keys().find(key);
    if (found == keys().end()) {
      const bool known =
          std::find(kWithoutMeaning.begin(), kWithoutMeaning.end(), key) != kWithoutMeaning.end();
      notices.warn(meta.key, known ? "AnnotationWithoutEffect" : "UnknownAnnotation",
                   it->first + (known ? " has no effect on this appliance." : " is unknown."));
      continue;
    }
    IngressSettings changed = settings;
    if (found->second(it->second, changed)) {
      settings = std::move(changed);
    } else {
      notices.warn(
          meta.key, "InvalidAnnotation",
          it->first + ": \"" + it->second.substr(0, 80) + "\" is no value that it may have; it is ignored.");
    }
  }
}

}  // namespace

void apply_alibaba_annotations(const Meta& meta, IngressSettings& settings, Notices& notices) {
  apply_spelling(meta, kOld, settings, notices);
  apply_spelling(meta, kNew, settings, notices);
}

}  // namespace sluice::mgmt::ingress
