// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "l7/tls/policy.h"
#include "mgmt/config/model.h"

namespace sluice::mgmt::config {

/// What a listener's TLS offers, or the member that is wrong and why.
struct TlsPolicy {
  struct {
    std::string member, message;
  } error;
  l7::tls::Policy policy;
  explicit operator bool() const { return error.member.empty(); }
};

/// The policy that it names, between its own bounds of the version.
TlsPolicy tls_policy_of(const Listener& listener);

}  // namespace sluice::mgmt::config
