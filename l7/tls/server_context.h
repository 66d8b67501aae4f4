// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/result.h"
#include "l7/tls/policy.h"
#include "l7/tls/trust_store.h"

namespace sluice::l7::tls {

/// A certificate chain with its private key, parsed and checked to belong together. Immutable, shared by threads.
/// Definition in certificate.h.
class Certificate;

/// A certificate and whom it is presented to.
struct OfferedCertificate {
  OfferedCertificate(std::shared_ptr<const Certificate> c) : certificate(std::move(c)) {}  // NOLINT: by its own names
  OfferedCertificate(std::shared_ptr<const Certificate> c, std::optional<std::vector<std::string>> n)
      : certificate(std::move(c)), names(std::move(n)) {}
  std::shared_ptr<const Certificate> certificate;
  std::optional<std::vector<std::string>> names;  ///< Server names, wildcards as "*.x"; none: the certificate's own.
};

/// What a TLS listener offers.
struct ServerConfig {
  /// The first one that covers no SNI name better is used when the client sends none or an unknown one. Empty: the
  /// process's generated self-signed certificate.
  std::shared_ptr<const Certificate> default_certificate;
  std::vector<OfferedCertificate> certificates;  ///< By names: exact, then wildcard; the first one for a name stays.
  Policy policy = default_policy();
  ClientAuthentication clients;
  /// Of clients that resume a session (0-RTT). Never where `clients` show certificates: it is not theirs until they have
  /// finished their handshake.
  bool early_data = false;
  std::vector<std::string> alpn = {"http/1.1"};  ///< In our order of preference.
};

/// Ready to accept handshakes: one SSL_CTX a worker, so that workers share no lock or counter. Immutable.
class ServerContext {
 public:
  static Result<std::shared_ptr<const ServerContext>> create(const ServerConfig& config, std::uint32_t workers);
  ~ServerContext();
  /// SSL_CTX of that worker, as an opaque pointer for l7/tls. `software`: one that does without the providers which the others
  /// prefer, if there are any.
  void* context(WorkerId worker, bool software = false) const;
  /// A client's certificate is told as a whole.
  bool keeps_client_certificates() const;
  /// Early data may be taken.
  bool early_data() const;

 private:
  struct Impl;
  explicit ServerContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::l7::tls
