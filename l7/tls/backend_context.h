// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "l7/tls/policy.h"
#include "l7/tls/trust_store.h"

namespace sluice::l7::tls {

class Certificate;

/// How connections to backends are protected, and whom they trust.
struct BackendConfig {
  bool verify = true;                             ///< The backend's certificate: its authority, its time, its name.
  std::shared_ptr<const TrustStore> authorities;  ///< Null: system_trust_store().
  std::shared_ptr<const Certificate> certificate; ///< Shown to a backend that asks for one; null: none.
  Policy policy = default_policy();
  int depth = kDefaultDepth;  ///< Intermediate certificates between the backend's and one that is believed.

  /// Chains of public authorities have one or two, and one more where a new root was signed by an older one.
  static constexpr int kDefaultDepth = 4;
};

/// Ready to begin handshakes: one SSL_CTX a worker, so that workers share no lock or counter. Immutable. For any number
/// of server groups: whom one talks to is not part of it.
class BackendContext {
 public:
  /// Errors begin with the member that is wrong.
  static Result<std::shared_ptr<const BackendContext>> create(const BackendConfig& config, std::uint32_t workers);
  ~BackendContext();
  /// SSL_CTX of that worker, as an opaque pointer for l7/tls.
  void* context(WorkerId worker) const;
  bool verifies() const;
  /// Another for each: sessions of one are not resumed under another.
  std::uint64_t serial() const;

 private:
  struct Impl;
  explicit BackendContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// TLS to the members of a group. Connections are used again only for the same one of these.
struct BackendTls {
  std::shared_ptr<const BackendContext> context;  ///< Counted by each connection.
  /// For SNI (RFC 6066, 3), and the name that is verified (RFC 9525). Empty: no SNI, and the address that is connected to
  /// must be in the certificate.
  std::string server_name;
};

}  // namespace sluice::l7::tls
