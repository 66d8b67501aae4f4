// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/named_appliances.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "dataplane/base/ascii.h"
#include "dataplane/base/ip.h"
#include "mgmt/config/bounds.h"
#include "mgmt/config/names.h"
#include "mgmt/ingress/model/authority.h"
#include "mgmt/ingress/model/base64.h"
#include "mgmt/ingress/model/certificate_check.h"
#include "mgmt/ingress/model/json_access.h"

namespace sluice::mgmt::ingress {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxAppliances = 64;
constexpr std::size_t kMaxToken = 4096;

/// "[2001:db8::1]", "192.0.2.1" or a name, in its one form; empty: it is no host.
std::string host_of(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto address = IpAddr::parse(text.substr(1, text.size() - 2));
    return address && !address->is_v4() ? "[" + address->to_string() + "]" : "";
  }
  if (const auto address = IpAddr::parse(text)) return address->is_v4() ? address->to_string() : "";
  return config::is_host_name(text) ? std::string(text) : "";
}

/// 0: it is no port.
unsigned port_of(std::string_view text) {
  unsigned out = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size() && out <= 65535 ? out : 0;
}

/// None: the member is there, and wrong.
std::optional<ObjectKey> read_reference(const json& one) {
  const json& given = member(one, "credentialsSecret");
  if (given.is_null()) return ObjectKey{};
  const ObjectKey out{text(given, "namespace"), text(given, "name")};
  const bool right = config::is_host_name(out.name) && (out.ns.empty() || config::is_host_name(out.ns));
  return right ? std::optional(out) : std::nullopt;
}

/// The decoded member; empty: there is none, or it is no base64.
std::string data_of(const json& object, const char* name) {
  const std::string plain = text(member(object, "stringData"), name);  // Only in files: the API server encodes it.
  return plain.empty() ? base64_decode(text(member(object, "data"), name)).value_or("") : plain;
}

ApplianceSecret unusable(std::string problem) {
  ApplianceSecret out;
  out.problem = std::move(problem);
  return out;
}

}  // namespace

std::string appliance_url(std::string_view text) {
  const std::string url = ascii_lower(std::string(text));
  const std::size_t begin = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (begin == 0) return {};
  std::string_view rest = std::string_view(url).substr(begin);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const Authority parts = split_authority(rest);
  const std::string host = host_of(parts.host);
  const unsigned standard = begin == 8 ? 443 : 80;
  const unsigned port = parts.port ? port_of(*parts.port) : standard;
  if (host.empty() || port == 0) return {};
  return url.substr(0, begin) + host + (port == standard ? "" : ":" + std::to_string(port));
}

std::string appliance_name(const std::string& url) { return url.substr(url.find("://") + 3); }

void read_appliances(const json& spec, SluiceConfig& out) {
  const json& given = member(spec, "appliances");
  if (given.is_null()) return;
  out.names_appliances = !given.is_array() || !given.empty();
  if (!given.is_array()) return out.problems.push_back("appliances: must be a list");
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string at = "appliances/" + std::to_string(i);
    const auto wrong = [&](const std::string& what) { out.problems.push_back(at + what); };
    const std::string url = appliance_url(text(given[i], "url"));
    const auto secret = read_reference(given[i]);
    const bool again = std::any_of(out.appliances.begin(), out.appliances.end(),
                                   [&](const NamedAppliance& a) { return a.url == url; });
    if (i == kMaxAppliances) return wrong(": there may be " + std::to_string(kMaxAppliances) + " at most");
    if (!url.starts_with("https://")) {  // Its token must not be there for all to read.
      wrong("/url: must be https://HOST or https://HOST:PORT");
    } else if (!secret) {
      wrong("/credentialsSecret: must have the name of a Secret, and may have its namespace");
    } else if (again) {
      wrong("/url: is in the list already");
    } else {
      out.appliances.push_back({url, *secret});
    }
  }
}

ApplianceSecret read_appliance_secret(const json& object) {
  const std::string type = text(object, "type");
  if (!type.empty() && type != "Opaque" && type != "sluice.dev/appliance")
    return unusable("it is of type " + type.substr(0, 80) + ", not Opaque or sluice.dev/appliance");
  ApplianceSecret out;
  out.token = data_of(object, "token");
  out.token.erase(out.token.find_last_not_of(" \t\r\n") + 1);
  out.ca = data_of(object, "ca.crt");
  if (out.token.empty() || out.token.size() > kMaxToken || !config::is_visible_ascii(out.token))
    return unusable("its member token is no token");
  const bool has_ca = !out.ca.empty() || !member(member(object, "data"), "ca.crt").is_null();
  if (out.ca.size() > config::kMaxPem || (has_ca && !has_certificate(out.ca)))
    return unusable("its member ca.crt holds no certificate");
  return out;
}

}  // namespace sluice::mgmt::ingress
