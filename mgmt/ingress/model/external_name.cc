// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/model/external_name.h"

#include <algorithm>
#include <cctype>

#include "mgmt/config/address_range.h"
#include "mgmt/config/names.h"

namespace sluice::mgmt::ingress {
namespace {

bool in_one_of(const IpAddr& address, std::initializer_list<const char*> networks) {
  return std::any_of(networks.begin(), networks.end(), [&](const char* text) {
    const auto range = config::AddressRange::parse(text);
    return range && range->first.is_v4() == address.is_v4() && range->contains(address);
  });
}

}  // namespace

std::string usable_external_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!config::is_host_name(out) || out == "localhost" || out.ends_with(".localhost")) return {};
  // Resolvers take "127.1", "2130706433" and "0x7f000001" for addresses; no top-level domain begins with a digit.
  const std::size_t dot = out.rfind('.');
  const char first = out[dot == out.npos ? 0 : dot + 1];
  return std::isdigit(static_cast<unsigned char>(first)) != 0 ? std::string() : out;
}

bool usable_external_address(const IpAddr& address) {
  if (!config::is_unicast(address)) return false;
  if (address.is_v4()) return !in_one_of(address, {"100.64.0.0/10", "192.0.0.0/24"});
  // IPv4 in IPv6: NAT64 (RFC 6052, 8215), 6to4, Teredo, and the deprecated compatible and site-local forms.
  return !in_one_of(address, {"64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10",
                              "fd00:ec2::/32"});
}

}  // namespace sluice::mgmt::ingress
