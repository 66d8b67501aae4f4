// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/external_name.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "dataplane/base/ascii.h"
#include "mgmt/config/address_range.h"
#include "mgmt/config/names.h"

namespace sluice::mgmt::ingress {
namespace {

using Networks = std::vector<config::AddressRange>;

Networks networks(std::initializer_list<const char*> texts) {
  Networks out;
  for (const char* text : texts) out.push_back(config::AddressRange::parse(text).value());
  return out;
}

bool in_one_of(const IpAddr& address, const Networks& networks) {
  return std::any_of(networks.begin(), networks.end(), [&](const auto& range) { return range.contains(address); });
}

}  // namespace

std::string usable_external_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out = ascii_lower(std::string(name));
  if (!config::is_host_name(out) || out == "localhost" || out.ends_with(".localhost")) return {};
  // Resolvers take "127.1", "2130706433" and "0x7f000001" for addresses; no top-level domain begins with a digit.
  const std::size_t dot = out.rfind('.');
  const char first = out[dot == out.npos ? 0 : dot + 1];
  return std::isdigit(static_cast<unsigned char>(first)) != 0 ? std::string() : out;
}

bool usable_external_address(const IpAddr& address) {
  if (!config::is_unicast(address)) return false;
  static const Networks kReservedV4 = networks({"100.64.0.0/10", "192.0.0.0/24"});
  // IPv4 in IPv6: NAT64 (RFC 6052, 8215), 6to4, Teredo, and the deprecated compatible and site-local forms.
  static const Networks kReservedV6 = networks(
      {"64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10", "fd00:ec2::/32"});
  return !in_one_of(address, address.is_v4() ? kReservedV4 : kReservedV6);
}

}  // namespace sluice::mgmt::ingress
