// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace sluice::l7::tls {

/// Authorities whose certificates are believed, and their lists of revoked ones. Parsed and checked; immutable, shared
/// by threads.
class TrustStore {
 public:
  static constexpr std::size_t kMaxCertificates = 1000;

  /// `certificates_pem`: one or more; intermediate ones are believed as well as roots. `revocation_pem`: CRLs, or empty;
  /// each must be signed by one of the certificates. Errors say which part is wrong.
  static Result<std::shared_ptr<const TrustStore>> parse(std::string_view certificates_pem, std::string_view revocation_pem);

  ~TrustStore();
  /// SHA-256 over all of it, as bytes: equal ones judge equally.
  const std::string& digest() const { return digest_; }
  /// When a list of revoked certificates is out of date (its nextUpdate; the newest of each authority counts), after which its
  /// authority's certificates are refused. The first of all, Unix seconds; 0: no list, or none that ends.
  std::int64_t revocations_end() const { return revocations_end_; }

  struct Handles;  ///< OpenSSL objects; l7/tls only.
  const Handles& handles() const { return *handles_; }

 private:
  TrustStore();
  std::string digest_;
  std::int64_t revocations_end_ = 0;
  std::unique_ptr<Handles> handles_;
};

/// Whom this system believes: the bundle that SSL_CERT_FILE names, else Debian's ca-certificates, else OpenSSL's own
/// default. Read when it is first asked for, and kept as long as the process. Any thread.
Result<std::shared_ptr<const TrustStore>> system_trust_store();

/// Whether clients show certificates, and whose.
struct ClientAuthentication {
  enum class Mode : std::uint8_t {
    kOff,
    kOptional,  ///< A client may go without one; one that does not verify ends the handshake.
    kRequired,
  } mode = Mode::kOff;
  std::shared_ptr<const TrustStore> authorities;  ///< Never null but for kOff.
  int depth = 1;                  ///< Intermediate certificates between the client's and one that is believed.
  bool keep_certificate = false;  ///< It is told as a whole, not its names alone.
};

/// A client's verified certificate, as fields of a request tell of it.
struct ClientCertificate {
  std::string subject, issuer;  ///< RFC 2253, ASCII.
  std::string fingerprint;      ///< SHA-256 in hex, lower case.
  std::string escaped_pem;      ///< Percent-encoded; empty unless it is kept.
};

}  // namespace sluice::l7::tls
