// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "dataplane/base/result.h"

namespace sluice::mgmt::rest {

/// Makes sure that a certificate and key for the API itself are in these files: a self-signed ECDSA P-256
/// certificate for localhost, the loopback addresses, `address` and the machine's name. One that is about to
/// expire, or that does not cover `address`, is replaced. The key's file has mode 0600.
Status ensure_api_certificate(const std::string& certificate_path, const std::string& key_path,
                              const std::string& address);

}  // namespace sluice::mgmt::rest
