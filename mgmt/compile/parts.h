// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "mgmt/compile/program.h"
#include "mgmt/config/pointer.h"

/// Model values to the data plane's values, one resource at a time.
namespace sluice::mgmt::compile {

/// Members keep their slots of `previous` by address and port. Null and an error: no slot left.
std::shared_ptr<const l7::ServerGroup> make_group(const config::ServerGroup& model,
                                                  std::shared_ptr<const l7::tls::BackendTls> tls,
                                                  const l7::ServerGroup* previous, Slots& slots,
                                                  const config::Pointer& at, config::ErrorList& errors);

/// `program.groups` is complete.
l7::Action make_action(const config::Action& model, const Program& program);
std::shared_ptr<const l7::Rule> make_rule(const config::Rule& model, std::uint64_t age,
                                          const Program& program);

/// `config` has the lists that `model` names.
std::shared_ptr<const l7::SourceFilter> make_source_filter(const config::AccessControl& model,
                                                           const config::Config& config);

/// `model` is not off.
l7::tls::ClientAuthentication make_client_authentication(const config::ClientAuthentication& model,
                                                         std::shared_ptr<const l7::tls::TrustStore> authorities);

l7::limits::Limits make_limits(const config::BalancerLimits& model);
l7::limits::Limits make_limits(const config::ListenerLimits& model);

/// All but TLS, router, sources and meters.
l7::Listener make_listener(const config::Listener& model, const Program& program);

}  // namespace sluice::mgmt::compile
