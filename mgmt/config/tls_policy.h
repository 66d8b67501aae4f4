// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "l7/tls/policy.h"
#include "mgmt/config/model.h"

namespace sluice::mgmt::config {

/// What TLS offers, or the member that is wrong and why.
struct ChosenPolicy {
  struct {
    std::string member, message;
  } error;
  l7::tls::Policy policy;
  explicit operator bool() const { return error.member.empty(); }
};

/// The policy that it names, built-in or of `config`, between its own bounds of the version.
ChosenPolicy tls_policy_of(const Listener& listener, const Config& config);
ChosenPolicy tls_policy_of(const BackendTls& tls, const Config& config);

/// "1.2", as configurations have it.
std::string_view name_of(l7::tls::TlsVersion v);
/// In the data plane's form. `model` has passed validate().
l7::tls::Policy make_policy(const TlsPolicy& model);

}  // namespace sluice::mgmt::config
