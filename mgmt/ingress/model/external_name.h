// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "dataplane/base/ip.h"

/// What a Service of type ExternalName may lead to. Who writes one must not come by it to what only the appliance can
/// reach: itself, its neighbours on the link, a cloud's metadata service.
namespace sluice::mgmt::ingress {

/// The name in lower case, without a final dot; empty: it is none that is asked for (an address, "localhost").
std::string usable_external_name(std::string_view name);

/// Neither loopback, link-local, unspecified, multicast nor reserved, in IPv6 dress either; nor in 100.64.0.0/10
/// (RFC 6598), where providers have services of their own.
bool usable_external_address(const IpAddr& address);

}  // namespace sluice::mgmt::ingress
