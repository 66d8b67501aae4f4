// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "mgmt/ingress/model/objects.h"

/// What a controller leaves to the next one: the appliances that classes named, on which something of ours may be, with
/// the Secrets that open them. No credentials are in it. Without it nobody could know of an appliance whose class dropped
/// it while no controller ran.
namespace sluice::mgmt::ingress {

using ApplianceMemory = std::map<std::string, ObjectKey>;  ///< appliance_url() to Secret.

/// {"https://192.0.2.10:8443": "NAMESPACE/NAME", ...}; empty: of none. No longer than the API server takes in the
/// annotations of an object (256 KiB); what does not fit, thousands of appliances on, is left out.
std::string text_of(const ApplianceMemory& memory);

/// What is wrong is left out: only what a class could name is opened.
ApplianceMemory read_memory(const std::string& text);

}  // namespace sluice::mgmt::ingress
